package wire

import (
	"bufio"
	"bytes"
	"io"
	"testing"
)

// BenchmarkRead decodes what a node hears in a swarm: a block of 16 KiB, and
// around it a request and sixteen HAVEs.
func BenchmarkRead(b *testing.B) {
	const block = 16 << 10
	var in []byte
	in = AppendRange(in, Request, 7, 0, 4*block)
	for i := range 16 {
		in = AppendHave(in, i)
	}
	in = AppendBlockHeader(in, 3, block, block)
	in = append(in, make([]byte, block)...)
	payload := make([]byte, block)
	src := bytes.NewReader(in)
	buffered := bufio.NewReaderSize(src, block)
	r := NewReader(buffered, Limits{Pieces: 1024, PieceLength: 64 << 10})
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		src.Reset(in)
		buffered.Reset(src)
		for {
			m, err := r.Read()
			if err == io.EOF {
				break
			}
			if err == nil && m.Type == Block {
				err = r.ReadPayload(payload)
			}
			if err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkAppend encodes the same.
func BenchmarkAppend(b *testing.B) {
	const block = 16 << 10
	var out []byte
	b.ReportAllocs()
	for b.Loop() {
		out = AppendRange(out[:0], Request, 7, 0, 4*block)
		for i := range 16 {
			out = AppendHave(out, i)
		}
		out = AppendBlockHeader(out, 3, block, block)
	}
}
