package sqlite

// deterministic are the functions a materializer and a schema may call: part of SQLite's core on every platform, with a
// result that depends on the arguments alone. What is not here is refused, so that a function SQLite adds later is refused
// until somebody has looked at it. Left out on purpose: clock and calendar (the authorizer sees names, not arguments, and
// 'now' is one), randomness, the math library (its last digit differs between platforms; bm25 takes a logarithm), what
// tells about the connection or the build, and what the Go library adds of its own.
var deterministic = set(
	// core
	"->", "->>", "abs", "char", "coalesce", "concat", "concat_ws", "format", "glob", "hex", "if", "ifnull", "iif", "instr",
	"length", "like", "likelihood", "likely", "lower", "ltrim", "match", "max", "min", "nullif", "octet_length", "printf",
	"quote", "replace", "round", "rtrim", "sign", "soundex", "substr", "substring", "subtype", "trim", "typeof", "unhex",
	"unicode", "unistr", "unistr_quote", "unlikely", "upper", "zeroblob",
	// aggregates
	"avg", "count", "group_concat", "string_agg", "sum", "total",
	// window functions
	"cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead", "nth_value", "ntile", "percent_rank", "rank",
	"row_number",
	// JSON
	"json", "json_array", "json_array_insert", "json_array_length", "json_error_position", "json_extract", "json_group_array",
	"json_group_object", "json_insert", "json_object", "json_patch", "json_pretty", "json_quote", "json_remove",
	"json_replace", "json_set", "json_type", "json_valid",
	"jsonb", "jsonb_array", "jsonb_array_insert", "jsonb_extract", "jsonb_group_array", "jsonb_group_object", "jsonb_insert",
	"jsonb_object", "jsonb_patch", "jsonb_remove", "jsonb_replace", "jsonb_set",
	// full text
	"fts5_get_locale", "fts5_insttoken", "fts5_locale", "highlight", "snippet",
	// RAISE, which the authorizer does not see as a function but the scan of a trigger's text does
	"raise",
)

// tableFunctions are the table-valued functions a statement of an app may read, all deterministic.
var tableFunctions = set("json_each", "json_tree", "jsonb_each", "jsonb_tree")

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
