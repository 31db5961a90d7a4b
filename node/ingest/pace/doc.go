// Package pace bounds how slowly the body of a request may come, for all protocols by which
// uploads come: [api.MinBodyBytes] in each [api.MinBodyTime] that the server waits for it. The time
// that the server needs for what has come does not count.
package pace
