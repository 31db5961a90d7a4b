// Package subtask carries out a node's parts of distribution tasks (M11).
//
// An order is on disk before any work on it begins, and its outcome before
// it is reported. It is forgotten once the tracker has acknowledged the final
// report. So a node that is killed at any moment goes on with what it was
// told, and never keeps a result to itself.
//
// # Which order begins when
//
// So many contents are fetched at a time for orders, [Config.Most]; further orders wait,
// and are reported as pending. When one may begin it is the one of the highest
// priority, and of several the oldest. That is all that priority is:
//
//   - What has begun goes on, whatever comes later, also over a restart. A node that
//     fetches shares pieces that others may have from nobody else; putting it off
//     would hold them up too.
//   - Transfers under way share the links evenly.
//   - The priority of an order may change while it waits; after that it is of no matter.
//   - An order waits for as long as higher ones, or older ones of its priority, come
//     faster than they end. Nothing lifts it meanwhile.
//
// A fetch to which nothing comes for 5 seconds no longer counts, unless the node is busy
// hashing or moving what it has, so that contents nobody can send hold up none that
// somebody can. It goes on, and when it moves again more than Most do. In all, four
// times Most are under way at the most: the outage of a tracker or an origin must not
// begin everything there is. Where so many get nothing, further orders wait.
//
// An order whose content is here, or on its way for another reason, begins at once,
// since it costs nothing.
package subtask
