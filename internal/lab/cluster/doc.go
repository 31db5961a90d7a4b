// Package cluster runs shoal's own processes on the hosts of a lab: a tracker,
// nodes, and the commands that steer them. It knows the built binary by its
// command line and its HTTP answers only, as an operator does.
//
//	c := cluster.New(t, binary)
//	tracker, err := c.StartTracker(ctx, trackerHost)
//	origin, err := c.StartNode(ctx, originHost, cluster.NodeConfig{Trackers: []string{tracker.URL}, Up: up, Down: down})
//	seeded, err := origin.Seed(ctx, "/path/to/file")
//	task, err := tracker.Distribute(ctx, seeded.Content, "all")
//
// Starting waits until the process says that it is ready. Every process has a
// data directory and a log of its own. [New] is for tests, and cleans up; [Open]
// is for programs.
package cluster
