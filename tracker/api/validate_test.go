package api

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/shoal-cdn/shoal"
)

func valid() Announce {
	return Announce{
		Session: "s",
		Node: NodeInfo{ID: "id1", Name: "n-1.example", Addrs: []string{"/ip4/10.0.0.1/tcp/1"}, HTTP: "http://10.0.0.1:80",
			Gateway:  []string{"http://10.0.0.1:81", "https://[fd00::1]:82/"},
			Locality: shoal.Locality{Carrier: "中国电信"}},
		Holdings: []Holding{{Role: Fetcher, Pieces: shoal.Pieces{Total: 2, Count: 1}}},
		SubTasks: []SubTaskReport{{Task: "t", State: Running, Faults: []Fault{
			{Peer: "id2", Kind: "corrupt"}, {Name: "http://h/f", Kind: UpstreamFault, Reason: "status 404"}, {Peer: "id3", Kind: UpstreamFault},
		}}},
	}
}

func TestValidate(t *testing.T) {
	a := valid()
	if err := a.Validate(); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("x", 2000)
	for name, spoil := range map[string]func(*Announce){
		"no node ID":          func(a *Announce) { a.Node.ID = "" },
		"node ID with slash":  func(a *Announce) { a.Node.ID = "a/b" },
		"no name":             func(a *Announce) { a.Node.Name = "" },
		"name of all":         func(a *Announce) { a.Node.Name = AllNodes },
		"name with comma":     func(a *Announce) { a.Node.Name = "a,b" },
		"name like an option": func(a *Announce) { a.Node.Name = "-a" },
		"long name":           func(a *Announce) { a.Node.Name = long },
		"no multiaddr":        func(a *Announce) { a.Node.Addrs = []string{"10.0.0.1:80"} },
		"long address":        func(a *Announce) { a.Node.Addrs = []string{"/" + long} },
		"many addresses":      func(a *Announce) { a.Node.Addrs = make([]string, MaxAddrs+1) },
		"script as URL":       func(a *Announce) { a.Node.HTTP = "javascript://x" },
		"many gateways":       func(a *Announce) { a.Node.Gateway = make([]string, MaxGateways+1) },
		"gateway of a file":   func(a *Announce) { a.Node.Gateway = []string{"file:///etc"} },
		"gateway with query":  func(a *Announce) { a.Node.Gateway = []string{"http://x/?a=b"} },
		"gateway of a user":   func(a *Announce) { a.Node.Gateway = []string{"http://u:p@x/"} },
		"long gateway":        func(a *Announce) { a.Node.Gateway = []string{"http://" + long} },
		"label with escape":   func(a *Announce) { a.Node.Site = "a\x1b[2J" },
		"long label":          func(a *Announce) { a.Node.Region = long },
		"long version":        func(a *Announce) { a.Node.Version = long },
		"negative rate":       func(a *Announce) { a.Node.Up = -1 },
		"no session":          func(a *Announce) { a.Session = "" },
		"negative wait":       func(a *Announce) { a.Wait = -1 },
		"unknown role":        func(a *Announce) { a.Holdings[0].Role = "boss" },
		"incomplete holder":   func(a *Announce) { a.Holdings[0].Role = Holder },
		"more than all":       func(a *Announce) { a.Holdings[0].Pieces.Count = 3 },
		"too many pieces":     func(a *Announce) { a.Holdings[0].Pieces.Total = shoal.MaxPieces + 1 },
		"many holdings":       func(a *Announce) { a.Holdings = make([]Holding, MaxHoldings+1) },
		"many gone":           func(a *Announce) { a.Gone = make([]shoal.ContentID, MaxHoldings+1) },
		"unknown state":       func(a *Announce) { a.SubTasks[0].State = "lost" },
		"no task":             func(a *Announce) { a.SubTasks[0].Task = "" },
		"negative bytes":      func(a *Announce) { a.SubTasks[0].Bytes.Peers = -1 },
		"many reports":        func(a *Announce) { a.SubTasks = make([]SubTaskReport, MaxReports+1) },
		"negative seconds":    func(a *Announce) { a.SubTasks[0].Why.Lease = -1 },
		"negative queue":      func(a *Announce) { a.SubTasks[0].Why.Queued = -1 },
		"no number":           func(a *Announce) { a.SubTasks[0].Why.Active = math.NaN() },
		"endless seconds":     func(a *Announce) { a.SubTasks[0].Why.Disk = math.Inf(1) },
		"many faults":         func(a *Announce) { a.SubTasks[0].Faults = make([]Fault, MaxFaults+1) },
		"fault of nobody":     func(a *Announce) { a.SubTasks[0].Faults[0].Peer = "" },
		"fault of no server":  func(a *Announce) { a.SubTasks[0].Faults[0] = Fault{Kind: UpstreamFault} },
		"long server's name":  func(a *Announce) { a.SubTasks[0].Faults[0] = Fault{Kind: UpstreamFault, Name: long} },
	} {
		a := valid()
		spoil(&a)
		if err := a.Validate(); !errors.Is(err, shoal.ErrInvalid) || len(err.Error()) > 300 {
			t.Errorf("%s: %v", name, err)
		}
	}
	a.SubTasks[0].Error = strings.Repeat("é", 1000) + "\xff"
	if err := a.Validate(); err != nil || len(a.SubTasks[0].Error) > maxError+len("…") {
		t.Errorf("a report with a long error: %v, %d bytes", err, len(a.SubTasks[0].Error))
	}
}

func TestCheckDest(t *testing.T) {
	for _, dest := range []string{"", "a", "a/b.bin", "ünï/ö", "..a/b"} {
		if err := CheckDest(dest); err != nil {
			t.Errorf("%q: %v", dest, err)
		}
	}
	for _, dest := range []string{"/", "/a", "..", "../a", "a/../../b", "a/../b", "a/", "./a", ".", "a//b", `a\b`, "a\x00b", "a\nb", "\xff", strings.Repeat("x", 1025)} {
		if err := CheckDest(dest); !errors.Is(err, shoal.ErrInvalid) {
			t.Errorf("%q: %v", dest, err)
		}
	}
}
