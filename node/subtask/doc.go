// Package subtask carries out a node's parts of distribution tasks (M11).
//
// An order is on disk before any work on it begins, and its outcome before
// it is reported. It is forgotten once the tracker has acknowledged the final
// report. So a node that is killed at any moment goes on with what it was
// told, and never keeps a result to itself.
package subtask
