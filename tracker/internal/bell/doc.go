// Package bell wakes those who wait for a change of something that a mutex guards.
package bell
