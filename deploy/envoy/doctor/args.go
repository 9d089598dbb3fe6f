package doctor

import (
	"errors"
	"path"
	"strings"
)

// token is a word of a command line.
type token struct {
	text string
	line int // from 1
}

// words splits a command line as a shell does, without expansion: quotes, escapes
// and comments; the end of a line is a space.
func words(text string) ([]token, error) {
	var all []token
	var word strings.Builder
	open, quote, line, began := false, byte(0), 1, 1
	end := func() {
		if open {
			all = append(all, token{word.String(), began})
		}
		word.Reset()
		open = false
	}
	for i := 0; i < len(text); i++ {
		c := text[i]
		if !open {
			began = line
		}
		switch {
		case c == '\\' && quote != '\'' && i+1 < len(text):
			if i++; text[i] != '\n' { // which continues the line
				word.WriteByte(text[i])
				open = true
			}
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
			word.WriteByte(c)
		case c == '\'' || c == '"':
			quote, open = c, true
		case strings.IndexByte(" \t\r\n", c) >= 0:
			end()
		case c == '#' && !open:
			for i+1 < len(text) && text[i+1] != '\n' {
				i++
			}
		default:
			word.WriteByte(c)
			open = true
		}
		if text[i] == '\n' {
			line++
		}
	}
	if quote != 0 {
		return nil, errors.New("a quote is not closed")
	}
	end()
	return all, nil
}

// option is an option of a command line with its value.
type option struct {
	name, value string
	line        int
}

// options reads the words of a command line as getopt_long does: a name may be cut
// short as long as it is not ambiguous, and the value follows "=" or is the next
// word. environment holds NAME=VALUE words before the program.
func options(all []token) (found []option, environment []string) {
	for i, t := range all {
		if path.Base(t.text) == "tritonserver" {
			all = all[i+1:]
			break
		}
		if name, _, ok := strings.Cut(t.text, "="); ok && !strings.HasPrefix(name, "-") {
			environment = append(environment, t.text)
		}
	}
	for i := 0; i < len(all); i++ {
		t := all[i]
		if strings.HasPrefix(t.text, "&") || strings.HasPrefix(t.text, ";") || strings.HasPrefix(t.text, "|") {
			break // another command
		}
		text, ok := strings.CutPrefix(t.text, "--")
		if !ok {
			continue
		}
		name, value, given := strings.Cut(text, "=")
		name = fullName(name)
		if !given && name != "disable-auto-complete-config" && i+1 < len(all) {
			i++
			value = all[i].text
		}
		found = append(found, option{name, value, t.line})
	}
	return found, environment
}

// fullName completes the name of an option of Triton's.
func fullName(name string) string {
	full := ""
	for _, known := range tritonOptions {
		switch {
		case known == name:
			return name
		case !strings.HasPrefix(known, name):
		case full != "":
			return name // ambiguous
		default:
			full = known
		}
	}
	if full == "" {
		return name
	}
	return full
}

// tritonOptions are the options of tritonserver 2.51, and those of later versions
// that are judged.
var tritonOptions = strings.Fields(`
	help id exit-timeout-secs log-verbose log-info log-warning log-error log-format log-file model-store
	model-repository exit-on-error disable-auto-complete-config strict-readiness model-control-mode
	repository-poll-secs load-model model-config-name model-load-thread-count model-load-retry-count
	model-namespacing enable-peer-access allow-http http-address http-port reuse-http-port
	http-header-forward-pattern http-thread-count http-restricted-api allow-grpc grpc-address grpc-port
	reuse-grpc-port grpc-header-forward-pattern grpc-infer-allocation-pool-size grpc-use-ssl
	grpc-use-ssl-mutual grpc-server-cert grpc-server-key grpc-root-cert
	grpc-infer-response-compression-level grpc-keepalive-time grpc-keepalive-timeout
	grpc-keepalive-permit-without-calls grpc-http2-max-pings-without-data
	grpc-http2-min-recv-ping-interval-without-data grpc-http2-max-ping-strikes grpc-max-connection-age
	grpc-max-connection-age-grace grpc-restricted-protocol allow-sagemaker sagemaker-port
	sagemaker-safe-port-range sagemaker-thread-count allow-vertex-ai vertex-ai-port vertex-ai-thread-count
	vertex-ai-default-model allow-metrics allow-gpu-metrics allow-cpu-metrics metrics-address metrics-port
	metrics-interval-ms metrics-config trace-config backend-directory backend-config repoagent-directory
	cache-config cache-directory rate-limit rate-limit-resource pinned-memory-pool-byte-size
	cuda-memory-pool-byte-size cuda-virtual-address-size min-supported-compute-capability
	buffer-manager-thread-count host-policy model-load-gpu-limit strict-model-config
	response-cache-byte-size trace-file trace-level trace-rate trace-count trace-log-frequency
	allow-client-shm http-max-input-size`)
