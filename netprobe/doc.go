// Package netprobe measures how good the path to a node's gateway is over TCP
// and over QUIC, and says which of the two to take (M7, M9).
//
// Three steps are kept apart: [Plan] decides what to measure within a budget
// and [Recommend] what follows from the results; both are pure functions. A
// [Prober] does what the plan says. [Book] remembers results until they are
// too old to be believed, and [Handler] is the other end, which a gateway
// mounts.
//
// # Protocol
//
// The other end is one resource of HTTP/1.1 over TCP or of HTTP/3, [Endpoint]
// below the gateway's base URL:
//
//	GET ?bytes=N&ms=M   200 with N bytes that no compression makes fewer; after
//	                    M milliseconds the body ends even if there were fewer
//	POST                reads the body and answers {"bytes": N, "seconds": S}:
//	                    how much there was, and how long it took from the
//	                    request's header to the end of the body
//
// Without bytes there are none, and without ms the server's bound holds. It
// bounds bytes, time and requests at once: where N or the body is too large the
// answer is 400 or 413, a body that takes too long is answered with 408, and a
// GET whose client reads too slowly is broken off. 503 with Retry-After means
// that as many requests as may run at once do; those for no bytes are always
// answered.
//
// Where the server can tell, each answer says in a header how many packets it
// has sent on the connection so far and how many of these were lost, or, on
// TCP, sent again:
//
//	Probe-Packets: sent=1234, lost=5
//
// The difference of two answers is the loss of a download in between. A body
// of random bytes needs no trailer then, and what still stood in the server's
// socket when it had written the last byte is counted as well.
//
// # Precision
//
// An RTT is the time of a request for no bytes over a connection that is open
// already; the server's share in it is far below a millisecond. Goodput is the
// payload of one connection in the second half of a transfer's time: in the first
// it finds out how fast it may send. What TCP sends again is more than what was
// lost, since some of it had only been late. A server can make itself look worse or,
// by holding back at first, somewhat better than it is; it cannot make a prober
// read, write or wait much more than the plan says.
package netprobe
