// Package fallback fetches pieces of a content over HTTP: from other nodes'
// gateways and from web seeds (BEP 19), so that a slow, empty or lossy swarm
// does not decide how long a distribution takes (M7, M8).
//
// A [Fetcher] knows a content by its manifest and by [Pieces], a small
// interface through which it claims pieces that nobody else is asked for, and
// hands them over one by one. What it promises:
//
//   - A piece is delivered when its last byte has come; bytes are never asked
//     for twice, except where a connection is so slow at the end that another
//     one races it for one piece, or is cut off in favour of a faster one, and
//     for a piece that did not verify and had come from two upstreams.
//   - A transfer that breaks goes on at the first missing byte, within a piece
//     too, at the same upstream or another one.
//   - Connections are added only while that makes the transfer faster.
//   - TCP comes first; HTTP/3 takes over where TCP does not connect, falls
//     silent, or brings clearly less than HTTP/3 beside it, and TCP gets another
//     chance later. [Paths] remembers that for other Fetchers.
//   - An upstream that fails cools down, for longer each time; one that cannot
//     be of use, or that sent bytes which did not verify, is benched for good.
//     Either way [Fetcher.Stats] says why.
//   - Whatever upstreams do, memory, time and goroutines are bounded, and
//     [Fetcher.Run] ends with the reasons once nothing moves any more (B1: it
//     asks only the upstreams it was given, as fast as it was allowed to).
//
// [Guard] keeps URLs that a stranger chose away from the operator's own
// networks; [NewClient] is a client for other uses that has such a guard.
package fallback
