// Package livestoretest helps an app to test what it builds on LiveStore.
//
// [CheckEvolution] keeps what old events say readable. Eventlogs outlive versions of an app: an event that was committed is read by every
// version after. A test of one line notices a change of an event's arguments that old events do not fit:
//
//	func TestEvolution(t *testing.T) {
//		livestoretest.CheckEvolution(t, app.Schema, "testdata/events")
//	}
//
// [CheckRebuild] notices a materializer that does not depend on events alone, or has changed without another version of the schema:
//
//	livestoretest.CheckRebuild(t, app.Schema, store)
package livestoretest
