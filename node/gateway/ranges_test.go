package gateway

import (
	"bytes"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Whatever a Range field says, the answer is a range, all of it or 416; its size is
// bounded by the file's; and every part is what it says it is.
func FuzzRanges(f *testing.F) {
	for _, field := range []string{"bytes=0-0", "bytes=-1", "bytes=5-,1-2,3-4", "bytes=,,1-1", "bytes=9-1", "x=1", "bytes=0-0,0-0,0-0", "Bytes = 1-2"} {
		f.Add(field, 10)
	}
	file := make([]byte, 5000)
	for i := range file {
		file[i] = byte(i % 251)
	}
	f.Fuzz(func(t *testing.T, field string, size int) {
		size = min(max(size, 0), len(file))
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Range", field)
		w := httptest.NewRecorder()
		w.Header().Set("Content-Type", "application/octet-stream")
		http.ServeContent(w, boundRanges(r, int64(size)), "", time.Time{}, bytes.NewReader(file[:size]))
		body := w.Body.Bytes()
		const head = 300 // of a part: boundary and fields
		if len(body) > size+(maxRanges+1)*head {
			t.Fatalf("%d bytes of a file of %d", len(body), size)
		}
		switch w.Code {
		case http.StatusOK:
			if !bytes.Equal(body, file[:size]) {
				t.Errorf("status 200: %d bytes of %d", len(body), size)
			}
		case http.StatusPartialContent:
			kind, params, err := mime.ParseMediaType(w.Header().Get("Content-Type"))
			if err != nil {
				t.Fatal(err)
			}
			if kind != "multipart/byteranges" {
				checkRange(t, w.Header().Get("Content-Range"), body, file[:size])
				return
			}
			parts := multipart.NewReader(w.Body, params["boundary"])
			for {
				p, err := parts.NextPart()
				if err == io.EOF {
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				b, err := io.ReadAll(p)
				if err != nil {
					t.Fatal(err)
				}
				checkRange(t, p.Header.Get("Content-Range"), b, file[:size])
			}
		case http.StatusRequestedRangeNotSatisfiable:
			if w.Header().Get("Content-Range") == "" {
				t.Error("416 without the size")
			}
		default:
			t.Errorf("status %d", w.Code)
		}
	})
}

func checkRange(t *testing.T, field string, got, file []byte) {
	t.Helper()
	var first, last, size int
	_, err := fmt.Sscanf(field, "bytes %d-%d/%d", &first, &last, &size)
	if err != nil || size != len(file) || first > last || last >= size || !bytes.Equal(got, file[first:last+1]) {
		t.Errorf("Content-Range %q: %d bytes, %v", field, len(got), err)
	}
}
