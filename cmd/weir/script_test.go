package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	extprocv3 "github.com/envoyproxy/go-control-plane/envoy/service/ext_proc/v3"
	"github.com/rogpeppe/go-internal/testscript"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// TestMain lets the scripts run weir: as a process of its own, so that signals
// and exit codes are the real ones.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"weir": main})
}

// TestScript runs testdata/script/*.txtar. Beside the commands of testscript
// there are those below, and in the environment of each script:
//
//	SOCKET, PUBLIC, CONTROL  free addresses for a configuration
//	SERVER_DOWN              an address where nothing listens
//	IMAGES                   the folder of test images
func TestScript(t *testing.T) {
	images, err := filepath.Abs("../../sanitize/testdata/image")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			folder, err := os.MkdirTemp("", "weir") // short: a socket's path has at most 107 bytes
			if err != nil {
				return err
			}
			e.Defer(func() { os.RemoveAll(folder) })
			e.Setenv("SOCKET", filepath.Join(folder, "s"))
			e.Setenv("IMAGES", images)
			for _, name := range []string{"PUBLIC", "CONTROL", "SERVER_DOWN"} {
				address, err := freeAddress()
				if err != nil {
					return err
				}
				e.Setenv(name, address)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":      exits,
			"fifo":       fifo,
			"samples":    samples,
			"answers":    answers,
			"http":       request,
			"exchange":   exchange,
			"triton":     triton,
			"backdoored": backdoored,
			"pictures":   pictures,
			"eventually": eventually,
			"signal":     sendSignal,
		},
		RequireUniqueNames: true,
	})
}

// exits CODE COMMAND ARGS... runs a command that must end with an exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARGS...")
	}
	code := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// fifo FILE makes a named pipe.
func fifo(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(syscall.Mkfifo(ts.MkAbs(args[0]), 0o600))
}

// samples N stop=SHARE PERIOD FILE writes N samples, PERIOD seconds apart (0:
// without time), of which a share has the class "stop" and the rest "yield".
func samples(ts *testscript.TestScript, _ bool, args []string) {
	var n int
	var share, period float64
	if _, err := fmt.Sscanf(args[0]+" "+args[1]+" "+args[2], "%d stop=%g %g", &n, &share, &period); err != nil {
		ts.Fatalf("usage: samples N stop=SHARE PERIOD FILE: %v", err)
	}
	random := rand.New(rand.NewPCG(1, 2))
	f, err := os.Create(ts.MkAbs(args[3]))
	ts.Check(err)
	defer f.Close()
	for i := range n {
		class, at := "yield", ""
		if random.Float64() < share {
			class = "stop"
		}
		if period > 0 {
			at = fmt.Sprintf(`"time":%g,`, float64(i)*period)
		}
		fmt.Fprintf(f, "{%s\"confidence\":%.3f,\"class\":%q}\n", at, 0.5+random.Float64()/2, class)
	}
}

// answers CODE TEXT starts a server that always answers so; its address is $SERVER.
func answers(ts *testscript.TestScript, _ bool, args []string) {
	code, err := strconv.Atoi(args[0])
	ts.Check(err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		fmt.Fprintln(w, args[1])
	}))
	ts.Defer(server.Close)
	ts.Setenv("SERVER", server.Listener.Addr().String())
}

// triton starts a model server that has the model "sign" with an image and a number
// in and two classes out, and one that is not ready; its URL is $UPSTREAM.
func triton(ts *testscript.TestScript, _ bool, _ []string) {
	const about = `{"name":"sign","versions":["1"],"platform":"python",
		"inputs":[{"name":"IMAGE","datatype":"BYTES","shape":[-1,1]},{"name":"N","datatype":"FP32","shape":[-1,1]}],
		"outputs":[{"name":"SCORES","datatype":"FP32","shape":[-1,2]}]}`
	pages := map[string]string{
		"GET /v2":                               `{"name":"triton","version":"2.51.0","extensions":["binary_tensor_data"]}`,
		"POST /v2/repository/index":             `[{"name":"sign","version":"1","state":"READY"},{"name":"gone","version":"1","state":"UNAVAILABLE","reason":"no file"}]`,
		"GET /v2/models/sign":                   about,
		"GET /v2/models/sign/versions/1":        about,
		"GET /v2/models/sign/versions/1/ready":  "",
		"GET /v2/models/sign/versions/1/config": `{"backend":"python","max_batch_size":8,"input":[{"name":"N","optional":true}],"output":[{"name":"SCORES","label_filename":"labels.txt"}]}`,
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.Method+" "+r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusBadRequest)
		}
		fmt.Fprint(w, page)
	}))
	ts.Defer(server.Close)
	ts.Setenv("UPSTREAM", server.URL)
}

// http METHOD URL [CODE] prints the body of the answer, which must have the code.
func request(ts *testscript.TestScript, _ bool, args []string) {
	r, err := http.NewRequest(args[0], args[1], nil)
	ts.Check(err)
	response, err := http.DefaultClient.Do(r)
	ts.Check(err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s", body)
	if want := append(args, "200")[2]; strconv.Itoa(response.StatusCode) != want {
		ts.Fatalf("%s %s: %s, want %s\n%s", args[0], args[1], response.Status, want, body)
	}
}

// exchange METHOD PATH sends the head of a request to the Weir at $SOCKET, which
// must refuse it; the decision id is in $DECISION.
func exchange(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: exchange METHOD PATH")
	}
	conn, err := grpc.NewClient("unix://"+ts.Getenv("SOCKET"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	ts.Check(err)
	defer conn.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	stream, err := extprocv3.NewExternalProcessorClient(conn).Process(ctx)
	ts.Check(err)
	ts.Check(stream.Send(&extprocv3.ProcessingRequest{Request: &extprocv3.ProcessingRequest_RequestHeaders{
		RequestHeaders: &extprocv3.HttpHeaders{Headers: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
			{Key: ":method", RawValue: []byte(args[0])}, {Key: ":path", RawValue: []byte(args[1])}}}}}}))
	answer, err := stream.Recv()
	ts.Check(err)
	id := regexp.MustCompile(`\(decision (\w{26})\)`).FindSubmatch(answer.GetImmediateResponse().GetBody())
	if id == nil {
		ts.Fatalf("not refused: %v", answer)
	}
	ts.Setenv("DECISION", string(id[1]))
	ts.Check(stream.CloseSend())
	if _, err := stream.Recv(); !errors.Is(err, io.EOF) { // its record is there when the stream has ended
		ts.Fatalf("after the refusal: %v", err)
	}
}

// eventually SOURCE [PATTERN] waits until there is a file, or the answer of a URL,
// that matches a pattern.
func eventually(ts *testscript.TestScript, _ bool, args []string) {
	pattern := regexp.MustCompile("(?m)" + append(args, "")[1])
	var last []byte
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if strings.HasPrefix(args[0], "http://") {
			last, err = get(args[0])
		} else {
			last, err = os.ReadFile(ts.MkAbs(args[0]))
		}
		if err == nil && pattern.Match(last) {
			return
		}
	}
	ts.Fatalf("%s never matched %q: %v\n%s", args[0], pattern, err, last[max(0, len(last)-2000):])
}

func get(url string) ([]byte, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	return io.ReadAll(response.Body)
}

// signal NAME sends a signal to what runs in the background.
func sendSignal(ts *testscript.TestScript, _ bool, args []string) {
	signals := map[string]syscall.Signal{"HUP": syscall.SIGHUP, "TERM": syscall.SIGTERM, "INT": syscall.SIGINT}
	for _, c := range ts.BackgroundCmds() {
		ts.Check(c.Process.Signal(signals[args[0]]))
	}
}
