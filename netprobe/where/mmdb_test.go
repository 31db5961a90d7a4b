package where

import (
	"encoding/binary"
	"fmt"
	"maps"
	"net/netip"
	"slices"
)

// mmdb encodes a MaxMind DB file (version 2.0 of its format) for IPv6, in which
// IPv4 addresses are those of ::/96. Prefixes must not overlap. A value is a
// string, a uint16, a uint32, a []any or a map[string]any.
//
//	search tree    node after node, two records of 24 bits each, big endian:
//	               a node's number; the number of nodes: nothing; above it: 16
//	               more than that, and the offset of a value
//	16 zero bytes
//	values         control bytes, then payload
//	marker         \xab\xcd\xefMaxMind.com
//	metadata       a map
func mmdb(kind string, entries map[string]any) []byte {
	type record struct {
		node  int // its number; 0: none, since the root is nobody's child
		value int // its offset + 1; 0: none
	}
	tree := make([][2]record, 1)
	var values []byte
	for _, prefix := range slices.Sorted(maps.Keys(entries)) {
		p := netip.MustParsePrefix(prefix)
		addr, bits := p.Addr().As16(), p.Bits()
		if p.Addr().Is4() {
			addr, bits = [16]byte{}, bits+96
			four := p.Addr().As4()
			copy(addr[12:], four[:])
		}
		at := 0
		for i := range bits - 1 {
			r := &tree[at][addr[i/8]>>(7-i%8)&1]
			next := r.node
			if next == 0 {
				next = len(tree)
				r.node = next
				tree = append(tree, [2]record{})
			}
			at = next
		}
		tree[at][addr[(bits-1)/8]>>(7-(bits-1)%8)&1].value = len(values) + 1
		values = encode(values, entries[prefix])
	}
	var out []byte
	for _, node := range tree {
		for _, r := range node {
			v := len(tree)
			switch {
			case r.node != 0:
				v = r.node
			case r.value != 0:
				v = len(tree) + 16 + r.value - 1
			}
			out = append(out, byte(v>>16), byte(v>>8), byte(v))
		}
	}
	out = append(out, make([]byte, 16)...)
	out = append(out, values...)
	out = append(out, "\xab\xcd\xefMaxMind.com"...)
	return encode(out, map[string]any{
		"node_count": uint32(len(tree)), "record_size": uint16(24), "ip_version": uint16(6), "database_type": kind,
		"binary_format_major_version": uint16(2), "binary_format_minor_version": uint16(0), "build_epoch": uint32(1),
		"languages": []any{"en"}, "description": map[string]any{"en": "test"},
	})
}

// encode appends a value of the format's data section.
func encode(out []byte, v any) []byte {
	control := func(kind, size int) {
		var extra []byte
		if size >= 29 { // the sizes of the test's values end below 285
			size, extra = 29, []byte{byte(size - 29)}
		}
		if kind > 7 {
			out = append(out, byte(size), byte(kind-7))
		} else {
			out = append(out, byte(kind<<5|size))
		}
		out = append(out, extra...)
	}
	switch v := v.(type) {
	case string:
		control(2, len(v))
		return append(out, v...)
	case uint16:
		control(5, 2)
		return binary.BigEndian.AppendUint16(out, v)
	case uint32:
		control(6, 4)
		return binary.BigEndian.AppendUint32(out, v)
	case map[string]any:
		control(7, len(v))
		for k, item := range v {
			out = encode(encode(out, k), item)
		}
		return out
	case []any:
		control(11, len(v))
		for _, item := range v {
			out = encode(out, item)
		}
		return out
	}
	panic(fmt.Sprintf("no encoding for %T", v))
}
