// Package discover finds peers where no tracker names any: it asks several sources,
// such as the LAN and a DHT, for the contents that lack pieces, and for those whose
// manifest nobody has told, which then comes from a peer (M5, M6, B4).
//
// While a tracker answers, a source is asked only for what is still wanted after a
// while, or not at all, as its [Use] says; when no tracker answers any more, all of
// them are asked at once. A source that fails is asked again; none of it stops a fetch.
// Of very many contents 256 are looked for at a time, each for a minute at least, in turn:
// those that nobody has keep no other from being found.
package discover
