package where

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/shoal-cdn/shoal"
)

// maxYAML is less than maxCSV: the decoder takes up to a hundred times as much memory.
const maxYAML = 8 << 20

// DecodeYAML reads a table; see the package comment. Errors name lines and are
// of kind [shoal.ErrInvalid].
func DecodeYAML(data []byte) (*Table, error) {
	if len(data) > maxYAML {
		return nil, fmt.Errorf("%w: larger than %d bytes; as CSV it may have %d", shoal.ErrInvalid, maxYAML, maxCSV)
	}
	d := yaml.NewDecoder(bytes.NewReader(data))
	var doc, more yaml.Node
	err := d.Decode(&doc)
	if errors.Is(err, io.EOF) { // nothing but comments
		return new(Table), nil
	}
	if err == nil && !errors.Is(d.Decode(&more), io.EOF) {
		err = errors.New("want one document")
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s", shoal.ErrInvalid, strings.TrimPrefix(err.Error(), "yaml: "))
	}
	list := doc.Content[0]
	if list.Kind == yaml.ScalarNode && list.Tag == "!!null" {
		return new(Table), nil
	}
	b := newBuilder()
	if list.Kind != yaml.SequenceNode {
		b.fault(list.Line, errors.New("want a list of entries, each '- prefix: …'"))
		return b.done()
	}
	for _, item := range list.Content {
		e, err := entryOf(item)
		if err != nil {
			if b.fault(item.Line, err); len(b.faults) == maxFaults {
				break
			}
		} else if !b.add(e) {
			break
		}
	}
	return b.done()
}

func entryOf(item *yaml.Node) (entry, error) {
	e := entry{line: item.Line}
	if item.Kind != yaml.MappingNode {
		return e, fmt.Errorf("want an entry of %s", strings.Join(columns, ", "))
	}
	fields := map[string]*string{"prefix": &e.prefix, "carrier": &e.carrier, "region": &e.region, "site": &e.site}
	for i := 0; i+1 < len(item.Content); i += 2 {
		key, value := item.Content[i], item.Content[i+1]
		field := fields[key.Value]
		switch {
		case key.Kind != yaml.ScalarNode || field == nil:
			return e, fmt.Errorf("key %.80q: want one of %s, each once", key.Value, strings.Join(columns, ", "))
		case value.Kind != yaml.ScalarNode:
			return e, fmt.Errorf("%s: want text", key.Value)
		case value.Tag != "!!null":
			*field = strings.TrimSpace(value.Value)
		}
		delete(fields, key.Value)
	}
	return e, nil
}
