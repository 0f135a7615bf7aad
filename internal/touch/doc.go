// Package touch finds the reads that a changed row can touch, without looking at those it can not.
//
// A [Read] is what one statement reads of one table: which columns, and of which rows, as far as its conditions say so in a way that can
// be looked up. [Of] makes the reads of a statement. An [Index] holds the reads that somebody depends on, and [Index.Row] says which of
// them a row that changes can touch: by its values before and after. It may name a read for nothing; it never leaves one out.
//
// How much a change costs depends on the reads it touches, and on how many different kinds of conditions there are on its table, not on how
// many reads there are: equality is looked up in a map, a range in a tree.
package touch
