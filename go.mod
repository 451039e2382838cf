module github.com/taskvisor/taskvisor

go 1.26

require github.com/cenkalti/backoff/v4 v4.3.0

require github.com/shirou/gopsutil/v3 v3.24.5 // indirect
