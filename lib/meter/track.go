package meter

import "fmt"

// ParseTrack reads a level as users write it; "full" is softflowd's word for ports.
func ParseTrack(s string) (Track, error) {
	levels := map[string]Track{"ip": TrackIP, "proto": TrackProto, "port": TrackPort, "full": TrackPort, "vlan": TrackVLAN, "ether": TrackEther}
	level, ok := levels[s]
	if !ok {
		return 0, fmt.Errorf("no such level %q: want ip, proto, port, vlan or ether", s)
	}
	return level, nil
}
