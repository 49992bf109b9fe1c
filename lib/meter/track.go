package meter

// TrackOf is the level that users mean by a word; "full" is softflowd's for ports.
func TrackOf(word string) (level Track, ok bool) {
	levels := map[string]Track{"ip": TrackIP, "proto": TrackProto, "port": TrackPort, "full": TrackPort, "vlan": TrackVLAN, "ether": TrackEther}
	level, ok = levels[word]
	return level, ok
}
