package cli

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Size is an option's value in bytes, such as 64M or 1.5GiB; K, M, G and T are
// powers of 1024. It is a pflag.Value: opts.Var(&memory, "memory", …).
type Size int64

// ParseSize reads a size.
func ParseSize(s string) (Size, error) {
	number := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(s), "B"), "I")
	scale := 1.0
	if n := len(number); n > 0 {
		if i := strings.IndexByte("KMGT", number[n-1]); i >= 0 {
			number = number[:n-1]
			scale = math.Pow(1024, float64(i+1))
		}
	}
	f, err := strconv.ParseFloat(number, 64)
	if err != nil || !(f >= 0) || f*scale >= math.MaxInt64 {
		return 0, fmt.Errorf("%q is not a size such as 64M", s)
	}
	return Size(f * scale), nil
}

func (z *Size) String() string { return Bytes(int64(*z)) }

// Set is for pflag.
func (z *Size) Set(s string) error {
	v, err := ParseSize(s)
	if err != nil {
		return fmt.Errorf("not a size such as 64M")
	}
	*z = v
	return nil
}

// Type is for pflag.
func (z *Size) Type() string { return "size" }
