//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
)

// generateStream is a request that is answered by a stream of events.
func generateStream() flow {
	return flow{
		name: "generate_stream", wires: anyWire(), path: "/v2/models/probe/versions/1/generate_stream",
		body: true, request: "BUFFERED", response: duplex,
		send: func(p *probe, address string) {
			p.post(address, "/v2/models/probe/generate_stream", fmt.Sprintf(`{"id":"client","TEXT":%q}`, p.text()))
		},
		answered: func(p *probe) bool {
			return bytes.Count(p.reply.body, []byte("data: ")) == 2 && bytes.Count(p.reply.body, []byte(`"id":"client"`)) == 2
		},
		forwarded: func(p *probe, r received) bool {
			id := firstID(r.body)
			return decisionID.MatchString(id) && string(r.body) == fmt.Sprintf(`{"id":%q,"TEXT":%q,"parameters":{}}`, id, p.clean())
		},
	}
}

// chat is a request over the OpenAI API that is answered by a stream of events.
func chat() flow {
	return flow{
		name: "chat", wires: anyWire(), path: "/openai/v1/chat/completions",
		likeAnother: true, body: true, request: "BUFFERED", response: duplex,
		send: func(p *probe, address string) {
			p.post(address, "/v1/chat/completions", fmt.Sprintf(`{"stream":true,"model":"chat","messages":[{"role":"user","content":%q}]}`, p.text()))
		},
		answered: func(p *probe) bool {
			return bytes.Count(p.reply.body, []byte("data: {")) == 3 && bytes.HasSuffix(p.reply.body, []byte("data: [DONE]\n\n"))
		},
		forwarded: func(p *probe, r received) bool {
			return string(r.body) == fmt.Sprintf(`{"model":"chat","messages":[{"role":"user","content":%q}],"stream":true}`, p.clean())
		},
	}
}

// unaryRPC is ModelInfer.
func unaryRPC() flow {
	return flow{
		name: "ModelInfer", wires: []wire{{h2: true}, {h2: true, size: large}}, path: "/inference.GRPCInferenceService/ModelInfer",
		body: true, trailers: true, request: "BUFFERED", response: "BUFFERED",
		send: func(p *probe, address string) { p.call(address, 1) },
		answered: func(p *probe) bool {
			return bytes.Count(p.reply.body, []byte("\x1a\x06client")) == 1
		},
		forwarded: func(p *probe, r received) bool { return p.messagesOf(r) == 1 },
	}
}

// streamRPC is ModelStreamInfer, with two requests.
func streamRPC() flow {
	return flow{
		name: "ModelStreamInfer", wires: []wire{{h2: true}, {h2: true, size: large}}, path: "/inference.GRPCInferenceService/ModelStreamInfer",
		body: true, trailers: true, request: duplex, response: duplex,
		send: func(p *probe, address string) { p.call(address, 2) },
		answered: func(p *probe) bool {
			return bytes.Count(p.reply.body, []byte("\x1a\x06client")) == 2
		},
		forwarded: func(p *probe, r received) bool { return p.messagesOf(r) == 2 },
	}
}

// messagesOf counts the messages of a call that reached the model server, if all of
// them are as Weir writes them.
func (p *probe) messagesOf(r received) (count int) {
	body := bytes.NewReader(r.body)
	for {
		message, err := readFrame(body)
		if err != nil {
			return count
		}
		if !decisionID.Match(field(message, fieldID)) || !bytes.Equal(field(message, fieldRaw), elements(p.clean())) || bytes.Contains(message, []byte("client")) {
			return -1
		}
		count++
	}
}

// call makes a call with some requests over gRPC. A status that is not OK counts as
// one of HTTP, if nothing of an answer came before it.
func (p *probe) call(address string, requests int) {
	stream, end, err := p.open(address)
	if err != nil {
		p.err = err
		return
	}
	defer end()
	message := inferMessage("probe", "client", []rawInput{{"TEXT", "BYTES", 1, elements(p.text())}})
	for range requests {
		_ = stream.SendMsg(&message) // the status comes with RecvMsg
	}
	_ = stream.CloseSend()
	p.receive(stream)
}

// open begins a call, which end gives up.
func (p *probe) open(address string) (stream grpc.ClientStream, end func(), err error) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority("canary.example"), grpc.WithDefaultCallOptions(grpc.ForceCodec(rawMessages{})))
	if err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), "x-canary", "canary", "traceparent", p.traceparent()), patience)
	end = func() {
		cancel()
		_ = connection.Close()
	}
	if stream, err = connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, p.flow.path); err != nil {
		end()
	}
	return stream, end, err
}

// receive reads all of an answer, with its trailers.
func (p *probe) receive(stream grpc.ClientStream) {
	p.reply = reply{status: http.StatusOK, header: http.Header{}}
	for p.err == nil {
		var answer []byte
		if p.err = stream.RecvMsg(&answer); p.err == nil {
			p.reply.body = append(p.reply.body, framed(answer)...)
		}
	}
	head, _ := stream.Header()
	for _, md := range []metadata.MD{head, stream.Trailer()} {
		for name, values := range md {
			for _, v := range values {
				p.reply.header.Add(name, v)
			}
		}
	}
	switch {
	case errors.Is(p.err, io.EOF):
		p.err = nil
	case len(p.reply.body) == 0 && !strings.Contains(fmt.Sprint(head), "canary"):
		p.reply.status = http.StatusInternalServerError
	}
}
