package wire

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/shoal-cdn/shoal"
)

// Reader decodes the messages of one stream. It is not safe for concurrent use.
type Reader struct {
	r       *bufio.Reader
	limits  Limits
	body    []byte // reused for Message.Body
	payload int    // bytes of a block's payload that the caller has not read
	scratch [requestLen]byte
}

// NewReader reads messages from r, after the handshake.
func NewReader(r *bufio.Reader, limits Limits) *Reader {
	return &Reader{r: r, limits: limits}
}

// Read returns the next message. After a Block the caller must take the whole
// payload with ReadPayload or Discard. The error is [io.EOF] where the stream
// ends between two messages, and of kind [shoal.ErrCorrupt] where the peer
// broke the protocol.
func (r *Reader) Read() (Message, error) {
	if r.payload != 0 {
		return Message{}, errors.New("wire: payload of the last block was not read")
	}
	head := r.scratch[:4]
	if _, err := io.ReadFull(r.r, head); err != nil {
		return Message{}, err
	}
	length := binary.BigEndian.Uint32(head)
	if length == 0 {
		return Message{Type: KeepAlive}, nil
	}
	t, err := r.r.ReadByte()
	if err != nil {
		return Message{}, unexpected(err)
	}
	m := Message{Type: Type(t)}
	if n, most := int64(length), int64(r.limits.maxLen(m.Type)); n > most || n < int64(r.limits.minLen(m.Type)) {
		return Message{}, fmt.Errorf("message of type %d and length %d: %w", t, length, shoal.ErrCorrupt)
	}
	if err := r.fields(&m, int(length)-1); err != nil {
		return Message{}, err
	}
	return m, nil
}

// fields reads the n bytes that follow the type, but for a block's payload.
func (r *Reader) fields(m *Message, n int) error {
	switch m.Type {
	case Have:
		if err := r.ints(&m.Piece); err != nil {
			return err
		}
	case Request, Cancel, Reject:
		if err := r.ints(&m.Piece, &m.Begin, &m.Length); err != nil {
			return err
		}
		if m.Length == 0 {
			return fmt.Errorf("%v of no bytes: %w", m.Type, shoal.ErrCorrupt)
		}
	case Block:
		if err := r.ints(&m.Piece, &m.Begin); err != nil {
			return err
		}
		m.Length = n + 1 - blockPrefix
		r.payload = m.Length
	case Bitfield:
		return r.read(m, n)
	case Extended:
		ext, err := r.r.ReadByte()
		if err != nil {
			return unexpected(err)
		}
		m.Ext = ext
		return r.read(m, n-1)
	default:
		return nil
	}
	if err := r.limits.check(m); err != nil {
		return fmt.Errorf("%w: %w", err, shoal.ErrCorrupt)
	}
	return nil
}

func (r *Reader) ints(fields ...*int) error {
	b := r.scratch[:4*len(fields)]
	if _, err := io.ReadFull(r.r, b); err != nil {
		return unexpected(err)
	}
	for i, f := range fields {
		*f = int(binary.BigEndian.Uint32(b[4*i:]))
	}
	return nil
}

func (r *Reader) read(m *Message, n int) error {
	if cap(r.body) < n {
		r.body = make([]byte, n)
	}
	m.Body = r.body[:n]
	_, err := io.ReadFull(r.r, m.Body)
	return unexpected(err)
}

// ReadPayload fills p with the next bytes of the last block's payload.
func (r *Reader) ReadPayload(p []byte) error {
	if len(p) > r.payload {
		return fmt.Errorf("wire: read %d bytes of a payload's %d", len(p), r.payload)
	}
	n, err := io.ReadFull(r.r, p)
	r.payload -= n
	return unexpected(err)
}

// Discard drops what is left of the last block's payload.
func (r *Reader) Discard() error {
	n, err := r.r.Discard(r.payload)
	r.payload -= n
	return unexpected(err)
}

// unexpected turns an end of file inside a message into an error that says so.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
