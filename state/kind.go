package state

// kind is how the values of a column are held: the SQLite type and the encoding in it.
type kind uint8

const (
	kindText kind = iota
	kindInteger
	kindReal
	kindBlob
	kindBool            // INTEGER, 0 or 1
	kindBoolText        // TEXT, true or false
	kindDecimal         // TEXT, an integer in decimal
	kindDatetime        // TEXT, as toISOString
	kindDatetimeInteger // INTEGER, Unix milliseconds
	kindMarshaled       // TEXT, by encoding.TextMarshaler
	kindJSON            // TEXT
	kindCodecText       // what a driver.Valuer makes of it
	kindCodecInteger
	kindCodecReal
	kindCodecBlob
)

// String is part of the canonical text a schema is hashed from: never change one.
func (k kind) String() string {
	return [...]string{
		"text", "integer", "real", "blob", "bool", "booltext", "decimal", "datetime", "datetimeinteger", "marshaled", "json",
		"codec text", "codec integer", "codec real", "codec blob",
	}[k]
}

// plain returns the kind of what is stored, where the Go type makes it itself.
func (k kind) plain() kind {
	if k >= kindCodecText {
		return k - kindCodecText + kindText
	}
	return k
}

// sqlType returns the type in a STRICT table.
func (k kind) sqlType() string {
	switch k.plain() {
	case kindInteger, kindBool, kindDatetimeInteger:
		return "INTEGER"
	case kindReal:
		return "REAL"
	case kindBlob:
		return "BLOB"
	default:
		return "TEXT"
	}
}
