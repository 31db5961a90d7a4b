//go:build !linux

package transport

func setSocketOptions(uintptr) {}

func setCongestionControl(uintptr) {}

func tcpCounters(uintptr) (Counters, bool) { return Counters{}, false }

const lowWaterMark = false

func setLowWaterMark(uintptr, int) {}
