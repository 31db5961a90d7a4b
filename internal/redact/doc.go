// Package redact cuts what is secret out of text that people, logs and reports
// get to see.
package redact
