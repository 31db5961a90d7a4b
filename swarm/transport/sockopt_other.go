//go:build !linux

package transport

func setSocketOptions(uintptr) {}

func setCongestionControl(uintptr) {}
