package where

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/shoal-cdn/shoal"
)

const maxCSV = 64 << 20

var columns = []string{"prefix", "carrier", "region", "site"}

// DecodeCSV reads a table; see the package comment. Errors name lines and are
// of kind [shoal.ErrInvalid].
func DecodeCSV(data []byte) (*Table, error) {
	if len(data) > maxCSV {
		return nil, fmt.Errorf("%w: larger than %d bytes", shoal.ErrInvalid, maxCSV)
	}
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(data, []byte("\ufeff")))) // spreadsheets write a mark
	r.Comment = '#'
	r.FieldsPerRecord = -1
	r.TrimLeadingSpace = true
	r.ReuseRecord = true
	b := newBuilder()
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return b.done()
		}
		if err != nil {
			if e, ok := errors.AsType[*csv.ParseError](err); ok {
				b.fault(e.Line, e.Err)
			} else {
				b.faults = append(b.faults, err)
			}
			return b.done() // what follows may be in the wrong columns
		}
		line, _ := r.FieldPos(0)
		fields := make([]string, max(len(row), len(columns)))
		for i, f := range row {
			fields[i] = strings.TrimSpace(f)
		}
		if first && slices.Equal(fields, columns) {
			continue
		}
		if len(fields) > len(columns) {
			b.fault(line, fmt.Errorf("%d columns: want at most %s", len(fields), strings.Join(columns, ", ")))
			return b.done()
		}
		if !b.add(entry{line, fields[0], fields[1], fields[2], fields[3]}) {
			return b.done()
		}
	}
}
