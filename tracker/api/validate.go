package api

import (
	"fmt"
	"math"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/shoal-cdn/shoal"
)

// AllNodes is the name in [NewTask] that stands for every node; no node can
// be called so.
const AllNodes = "all"

// CheckName checks that a node can have the name: 1 to 63 ASCII letters,
// digits, dots, underscores and hyphens, the first one a letter or a digit,
// and not "all". The error is of kind [shoal.ErrInvalid].
func CheckName(name string) error {
	if name == AllNodes || !isToken(name, maxName) {
		return invalid("name %s: want 1 to %d letters, digits, dots, underscores or hyphens, and not %q", quote(name), maxName, AllNodes)
	}
	return nil
}

// CheckDest checks that dest can be a task's destination: empty, or a
// relative, clean, slash-separated path that stays below where it starts.
// The error is of kind [shoal.ErrInvalid].
func CheckDest(dest string) error {
	switch {
	case dest == "":
		return nil
	case len(dest) > maxDest:
		return invalid("destination: longer than %d bytes", maxDest)
	case !filepath.IsLocal(dest), dest == ".", strings.ContainsAny(dest, "\\\x00"), !printable(dest):
		return invalid("destination %s: want a relative path below the node's files", quote(dest))
	case path.Clean(dest) != dest:
		return invalid("destination %s: want it clean, %q", quote(dest), path.Clean(dest))
	}
	return nil
}

// Validate checks what a node says of itself against the protocol's bounds.
func (n *NodeInfo) Validate() error {
	if _, err := shoal.ParseNodeID(string(n.ID)); err != nil {
		return err
	}
	if err := CheckName(n.Name); err != nil {
		return err
	}
	if len(n.Addrs) > MaxAddrs {
		return invalid("%d addresses: want at most %d", len(n.Addrs), MaxAddrs)
	}
	for _, a := range n.Addrs {
		if len(a) > maxAddr || !strings.HasPrefix(a, "/") || !printable(a) {
			return invalid("address %s: want a multiaddr", quote(a))
		}
	}
	if n.HTTP != "" && !isBaseURL(n.HTTP) {
		return invalid("HTTP address %s: want an http or https URL", quote(n.HTTP))
	}
	if len(n.Gateway) > MaxGateways {
		return invalid("%d gateways: want at most %d", len(n.Gateway), MaxGateways)
	}
	for _, g := range n.Gateway {
		if !isBaseURL(g) {
			return invalid("gateway %s: want an http or https URL", quote(g))
		}
	}
	if n.Up < 0 || n.Down < 0 {
		return invalid("rates %d and %d: want 0 or more", n.Up, n.Down)
	}
	for _, l := range []string{n.Carrier, n.Region, n.Site} {
		if len(l) > maxLabel || !printable(l) {
			return invalid("label %s: want at most %d printable bytes", quote(l), maxLabel)
		}
	}
	if len(n.Version) > maxVersion || !printable(n.Version) {
		return invalid("version %s: want at most %d printable bytes", quote(n.Version), maxVersion)
	}
	return nil
}

// Validate checks an announce against the protocol's bounds. Piece sets are
// not decoded. The error is of kind [shoal.ErrInvalid].
func (a *Announce) Validate() error {
	if err := a.Node.Validate(); err != nil {
		return err
	}
	if !isToken(a.Session, maxID) {
		return invalid("session %s: want 1 to %d letters, digits, dots, underscores or hyphens, a letter or digit first", quote(a.Session), maxID)
	}
	if a.Wait < 0 || math.IsNaN(a.Wait) {
		return invalid("wait of %v seconds", a.Wait)
	}
	if n := max(len(a.Holdings), len(a.Gone)); n > MaxHoldings {
		return invalid("%d holdings: want at most %d", n, MaxHoldings)
	}
	for i := range a.Holdings {
		if err := a.Holdings[i].validate(); err != nil {
			return err
		}
	}
	if len(a.SubTasks) > MaxReports {
		return invalid("%d sub-task reports: want at most %d", len(a.SubTasks), MaxReports)
	}
	for i := range a.SubTasks {
		if err := a.SubTasks[i].validate(); err != nil {
			return err
		}
	}
	if len(a.Paths) > MaxPaths {
		return invalid("%d paths: want at most %d", len(a.Paths), MaxPaths)
	}
	for i := range a.Paths {
		if err := a.Paths[i].Validate(); err != nil {
			return err
		}
	}
	return nil
}

func (h *Holding) validate() error {
	complete := h.Pieces.Count == h.Pieces.Total
	switch {
	case h.Role != Origin && h.Role != Holder && h.Role != Fetcher:
		return invalid("holding of %s: role %s", h.Content.Short(), quote(string(h.Role)))
	case h.Pieces.Total < 0 || h.Pieces.Total > shoal.MaxPieces || h.Pieces.Count < 0 || h.Pieces.Count > h.Pieces.Total:
		return invalid("holding of %s: %d of %d pieces", h.Content.Short(), h.Pieces.Count, h.Pieces.Total)
	case h.Role != Fetcher && !complete:
		return invalid("holding of %s: %s with %d of %d pieces", h.Content.Short(), h.Role, h.Pieces.Count, h.Pieces.Total)
	}
	return nil
}

func (r *SubTaskReport) validate() error {
	if err := CheckTaskID(r.Task); err != nil {
		return err
	}
	switch r.State {
	case Pending, Running, Succeeded, Failed, Cancelled:
	default:
		return invalid("sub-task of %s: state %s", r.Task, quote(string(r.State)))
	}
	b := r.Bytes
	if r.Pieces < 0 || r.Seconds < 0 || min(b.Origin, b.Peers, b.CrossCarrier, b.Upstream, b.Wasted) < 0 {
		return invalid("sub-task of %s: negative figures", r.Task)
	}
	if err := r.Why.validate(); err != nil {
		return fmt.Errorf("sub-task of %s: %w", r.Task, err)
	}
	if len(r.Faults) > MaxFaults {
		return invalid("sub-task of %s: %d faults: want at most %d", r.Task, len(r.Faults), MaxFaults)
	}
	for i := range r.Faults {
		if err := r.Faults[i].validate(); err != nil {
			return fmt.Errorf("sub-task of %s: %w", r.Task, err)
		}
	}
	r.Error = cut(strings.ToValidUTF8(r.Error, "\uFFFD"), maxError)
	return nil
}

func (f *Fault) validate() error {
	most, webSeed := maxName, f.Kind == UpstreamFault && f.Peer == ""
	if webSeed {
		most = maxURL
	}
	if len(f.Kind) > maxLabel || len(f.Name) > most || f.Count < 0 || !printable(f.Kind) || !printable(f.Name) || webSeed && f.Name == "" {
		return invalid("fault %s of %s", quote(f.Kind), quote(f.Name))
	}
	f.Reason = cut(strings.ToValidUTF8(f.Reason, "\uFFFD"), maxReason)
	if webSeed {
		return nil
	}
	_, err := shoal.ParseNodeID(string(f.Peer))
	return err
}

// CheckTaskID checks the form of a task's ID. The error is of kind [shoal.ErrInvalid].
func CheckTaskID(id string) error {
	if !isToken(id, maxID) {
		return invalid("task %s: want 1 to %d letters, digits, dots, underscores or hyphens, a letter or digit first", quote(id), maxID)
	}
	return nil
}

// isToken reports whether s can be a part of a path or of a list, and has 1 to
// most bytes: ASCII letters, digits and inner punctuation.
func isToken(s string, most int) bool {
	if s == "" || len(s) > most || strings.ContainsRune("._-", rune(s[0])) {
		return false
	}
	for _, r := range s {
		if (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && r != '.' && r != '_' && r != '-' {
			return false
		}
	}
	return true
}

// isBaseURL reports whether s is an http or https URL that paths can be joined to.
func isBaseURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxURL && printable(s) && (u.Scheme == "http" || u.Scheme == "https") &&
		u.Hostname() != "" && u.User == nil && u.RawQuery == "" && u.Fragment == ""
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// quote keeps hostile input from filling or garbling an error message.
func quote(s string) string { return fmt.Sprintf("%q", cut(s, 80)) }

// cut shortens s to at most n bytes without splitting a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", shoal.ErrInvalid, fmt.Sprintf(format, args...))
}
