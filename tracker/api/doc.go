// Package api is the protocol between the tracker, its nodes and its
// operators: the messages, the bounds they keep and a client.
//
//	POST   /v1/announce                Announce → Reply; the answer may be held back, see below
//	GET    /v1/nodes                   []Node
//	GET    /v1/ingest?carrier=C&…      []IngestServer, the nearest first; see [Client.IngestServers]
//	GET    /v1/where?addr=ADDR         Where: which carrier, region and site an IP address is in
//	GET    /v1/topology                Topology: the lines between carriers, as nodes see them
//	PUT    /v1/contents/{id}           a .torrent file (BEP 52) → Content; repeating it does no harm
//	GET    /v1/contents                []Content, newest first
//	GET    /v1/contents/{id}           Content
//	GET    /v1/contents/{id}/torrent   the .torrent file
//	GET    /v1/contents/{id}/peers     []Peer that ?node=ID can fetch it from, before it announces that it does
//	POST   /v1/tasks                   NewTask → Task, 201; repeating it with its ID does no harm, see [NewTask]
//	GET    /v1/tasks?limit=N           []Task without Nodes, newest first
//	GET    /v1/tasks/{task}            Task; with ?wait=SECONDS&seen=VERSION a long poll, see below
//	PATCH  /v1/tasks/{task}            TaskChange → Task
//	POST   /v1/tasks/{task}/cancel     Task
//	POST   /v1/leases                  LeaseRequest → LeaseReply
//	DELETE /v1/leases/{lease}?used=N   204; also where the lease is over
//	GET    /openapi.json /metrics /healthz /readyz
//
// Bodies are JSON but for .torrent files (application/x-bittorrent). Fields
// that a reader doesn't know are ignored, so that both sides can be upgraded
// one after the other.
//
// # Announces
//
// A node announces in full when it starts: all it holds and every sub-task it
// remembers. From then on it sends what changed since the last announce that
// was answered. Announces of one session are numbered; one that arrives after
// a later one is answered but not taken in, since the later one carries its
// changes too. When a Reply says Resync, nothing of the announce was taken
// in, and the node announces in full at once.
//
// The tracker holds an answer back for up to Announce.Wait, at most
// [MaxWait], while it has no news for the node: an order, a cancellation, or
// new peers for a content the node fetches while it has been handed few. A
// newer announce of the session releases the older one, whose answer is then
// empty. Reply.Cursor numbers a node's news; the node sends back the Cursor of the last Reply
// it processed, and Cursor 0 when it wants all of it again, for instance since all the
// peers it was given are gone.
//
// A node is dead when nothing came from it for three intervals. Its holdings
// are then forgotten, and it has to announce in full when it comes back.
//
// An answered announce is durable: final states of sub-tasks in it needn't be
// reported again, unless the tracker asks for a Resync.
//
// # Leases
//
// What isn't to be had from peers, a node reads from an upstream: another
// node's gateway, or a web seed. It asks for a lease first (M8, B1), and the
// answer is one of two:
//
//   - a Lease: an upstream, pieces of the content, at most so many bytes a
//     second and connections, for so many seconds. The node reads these pieces
//     and no others from it. No other node of its carrier is sent to an origin
//     for them meanwhile, so it announces them as they come.
//     Pieces that readers wait for can be named (Want): they are leased first.
//   - a Refusal and RetryAfter: the node goes on with its peers and doesn't ask
//     again for so many seconds. Reading without a lease is not an answer to it.
//
// A lease lasts seconds. Near its end a node that is still reading renews it
// with the bytes read so far; the tracker refuses that when they haven't
// changed, and the node stops. A node that has finished says so in its next
// request (Done), or gives the lease back when it needs no other. So that
// reading doesn't pause, a node may ask for a second lease while it reads by
// the first. A node that asks for want of anybody it can dial ([Unreachable])
// may also be served over a connection that a holder is told to open: Reply.Dial
// of that holder. Everything about leases is forgotten when the tracker or the
// node restarts; a lease that is in use then is not found at its renewal.
//
// # Long poll of a task
//
// GET /v1/tasks/{task}?wait=20&seen=VERSION answers as soon as the task's
// version differs from VERSION or the task is in a final state, at the latest
// after wait seconds (at most [MaxWait]), with the task as it is then.
//
// # Errors
//
// An error is an application/problem+json body (RFC 9457) with the extension
// member "kind": [Problem]. The client turns it back into the error kinds of
// package shoal.
//
//	kind         status         shoal
//	invalid      400, 413, 422  ErrInvalid
//	not_found    404            ErrNotFound
//	conflict     409            ErrConflict
//	corrupt      422            ErrCorrupt
//	changed      409            ErrChanged
//	cancelled    409            ErrCancelled
//	unavailable  503            ErrUnavailable
//	internal     500            ErrUnavailable (on the client: another try may succeed)
package api
