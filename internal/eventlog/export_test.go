package eventlog

// What tests of the format need.
const HeadLen = headLen

var Accept = accept
