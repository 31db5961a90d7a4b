// Package api holds the messages of a node's own HTTP API and its client.
//
//	GET    /v1/status              Status
//	GET    /v1/contents            []Content
//	GET    /v1/contents/{id}       Content
//	POST   /v1/contents            Fetch → Content: starts to fetch, answers at once
//	DELETE /v1/contents/{id}       forgets it; a copy that the node made is deleted, a file seeded in place is not
//	POST   /v1/seeds               Seed → a stream of SeedEvent, one JSON object a line, until Done or Error is set
//	GET    /metrics /healthz /readyz
//
// An error is an application/problem+json body (RFC 9457) as in tracker/api.
// Cutting the connection of POST /v1/seeds cancels the hashing. What was fetched
// of a URL by then is continued by the next Seed of the same URL.
package api
