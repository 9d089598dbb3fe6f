// Package config is the configuration file of Weir: what may stand in it, how it
// is read, and what has changed between two readings.
//
// The file is YAML, one document of at most 1 MiB in UTF-8. It is read strictly:
// unknown keys, duplicate keys, empty sections, anchors, aliases, merge keys,
// tags and values of a wrong type are errors, and all errors are reported at
// once, each with its line and column. In text values ${env:NAME} and
// ${env:NAME:-default} stand for environment variables, and $$ for a dollar sign;
// nothing else is expanded. Secrets come from files, never from the file itself.
// Relative paths of files start at the folder of the configuration file.
//
// A Config is what the file says with every default filled in, so nothing later
// has to know a default. It is not changed after Load has returned it. The file
// is trusted: whoever writes it decides what the firewall lets through.
package config
