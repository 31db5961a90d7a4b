// Package where says which carrier, region and site an address belongs to (M4),
// and how it knows.
//
// Sources are asked in this order; of each part of the answer the first word
// counts:
//
//  1. labels: what the node says of itself;
//  2. places: the operator's table of prefixes, of which the longest match counts;
//  3. geoip: MaxMind DB files, the first one given first. An autonomous system
//     number is the carrier ("AS4134"); country and subdivision are the region
//     by their ISO 3166 codes ("CN-GD", or "CN" where no subdivision is known).
//
// A part that nobody knows stays empty; nodes with unknown places are compared
// by the prefixes of their addresses, which is the tracker's business.
//
// A [Table] and a [Database] are values in memory that never change. [Sources] loads
// them from files and replaces them when the files change.
//
// # Format of the table
//
// As CSV (RFC 4180), by the name .csv: the columns are prefix, carrier, region,
// site; trailing ones may be left out, a first row with these names is skipped,
// and lines that begin with # are comments.
//
//	# prefix, carrier, region, site
//	198.18.0.0/16, AS64500, north
//	198.18.7.0/24, AS64500, north, dc7
//
// As YAML, by the name .yaml or .yml: a list.
//
//   - prefix: 198.18.7.0/24
//     carrier: AS64500
//     region: north
//     site: dc7
//
// A single address is a prefix of all its bits. A table with any mistake is
// refused as a whole: half a table would put nodes in the wrong carrier.
package where
