package gateway

import (
	"crypto/sha256"
	"encoding/hex"
	"mime"
	"path"
	"strings"

	"github.com/shoal-cdn/shoal"
)

// etag is the strong entity tag of a file (an index) of a content: the content's
// ID, and in a folder a hash of the file's path besides. Two nodes never give one
// tag to different bytes, nor two tags to one file.
func etag(m *shoal.Manifest, file int) string {
	if !m.IsFolder() {
		return `"` + m.ID().String() + `"`
	}
	hash := sha256.Sum256([]byte(m.Files()[file].Path))
	return `"` + m.ID().String() + "-" + hex.EncodeToString(hash[:8]) + `"`
}

// typeOf is a file's media type by its extension. What is commonly distributed has
// its type here, so that it does not depend on the machine's tables.
func typeOf(name string) string {
	ext := strings.ToLower(path.Ext(name))
	if t, ok := commonTypes[ext]; ok {
		return t
	}
	if t := mime.TypeByExtension(ext); t != "" {
		return t
	}
	return "application/octet-stream"
}

var commonTypes = map[string]string{
	".7z":    "application/x-7z-compressed",
	".aac":   "audio/aac",
	".apk":   "application/vnd.android.package-archive",
	".bin":   "application/octet-stream",
	".deb":   "application/vnd.debian.binary-package",
	".exe":   "application/octet-stream",
	".flac":  "audio/flac",
	".gz":    "application/gzip",
	".iso":   "application/octet-stream",
	".m3u8":  "application/vnd.apple.mpegurl",
	".m4a":   "audio/mp4",
	".m4s":   "video/iso.segment",
	".mkv":   "video/x-matroska",
	".mp3":   "audio/mpeg",
	".mp4":   "video/mp4",
	".mpd":   "application/dash+xml",
	".ogg":   "audio/ogg",
	".rpm":   "application/x-rpm",
	".tar":   "application/x-tar",
	".ts":    "video/mp2t",
	".vtt":   "text/vtt; charset=utf-8",
	".webm":  "video/webm",
	".woff2": "font/woff2",
	".xz":    "application/x-xz",
	".zip":   "application/zip",
	".zst":   "application/zstd",
}
