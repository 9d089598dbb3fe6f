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
		name: "generate_stream", wires: someWire(), path: "/v2/models/probe/versions/1/generate_stream",
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
		name: "chat", wires: someWire(), path: "/openai/v1/chat/completions",
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
		if !decisionID.Match(field(message, fieldID)) || !bytes.Equal(field(message, fieldRaw), elements(p.clean())) {
			return -1
		}
		count++
	}
}

// call makes a call with some requests over gRPC. A status that is not OK counts as
// one of HTTP.
func (p *probe) call(address string, requests int) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithAuthority("canary.example"), grpc.WithDefaultCallOptions(grpc.ForceCodec(rawMessages{})))
	if err != nil {
		p.err = err
		return
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(metadata.AppendToOutgoingContext(context.Background(), "x-canary", "canary", "traceparent", p.traceparent()), patience)
	defer cancel()
	stream, err := connection.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, p.flow.path)
	if err != nil {
		p.err = err
		return
	}
	message := inferMessage("probe", "client", []rawInput{{"TEXT", "BYTES", 1, elements(p.text())}})
	for range requests {
		if p.err = stream.SendMsg(&message); p.err != nil {
			break
		}
	}
	_ = stream.CloseSend()
	p.reply.header, p.reply.status = http.Header{}, http.StatusOK
	for {
		var answer []byte
		if p.err = stream.RecvMsg(&answer); p.err != nil {
			break
		}
		p.reply.body = append(p.reply.body, framed(answer)...)
	}
	head, _ := stream.Header()
	for _, md := range []metadata.MD{head, stream.Trailer()} {
		for name, values := range md {
			for _, v := range values {
				p.reply.header.Add(name, v)
			}
		}
	}
	if errors.Is(p.err, io.EOF) {
		p.err = nil
		return
	}
	if len(p.reply.body) == 0 && !strings.Contains(fmt.Sprint(head), "canary") {
		p.reply.status = http.StatusInternalServerError
	}
}
