// Command shoal distributes large files to edge nodes: one binary that is the
// tracker, the node and the tool that steers them.
//
// Every flag is also an environment variable (--limit-x is SHOAL_LIMIT_X) and
// a key of the YAML file that --config names; a flag wins over the
// environment, that over the file, and the file over the default.
//
// What a program may want to read goes to stdout, as JSON with --json;
// progress, logs and errors go to stderr. The exit code is 0 on success, 1 on
// failure and 2 where the command line or its configuration was wrong.
package main
