// Package envoy writes the Envoy bootstrap that Weir needs: one listener for
// HTTP/1 and h2c, ext_proc over a Unix socket, failing closed, with every limit and
// timeout taken from one configuration so that they agree.
//
// # Routes
//
// The path of a request chooses the endpoint of the model server that it goes to
// and the body modes in which Weir sees it:
//
//	path                                             endpoint  request body          response body
//	/inference.GRPCInferenceService/ModelStreamInfer  gRPC      FULL_DUPLEX_STREAMED  FULL_DUPLEX_STREAMED
//	/inference.GRPCInferenceService/…                 gRPC      BUFFERED              BUFFERED
//	/grpc.health.v1.Health/…                          gRPC      BUFFERED              BUFFERED
//	/v1/…, /openai/…                                  OpenAI    BUFFERED              FULL_DUPLEX_STREAMED
//	the path of upstream.upload                       upload    BUFFERED              BUFFERED
//	/v2/models/…/generate_stream                      HTTP      BUFFERED              FULL_DUPLEX_STREAMED
//	everything else                                   HTTP      BUFFERED              BUFFERED
//
// An endpoint that is not configured has no routes; its paths are refused by Weir.
//
// Envoy and Weir read a path each by themselves, so the matches use only what
// cannot be read in two ways: Envoy normalises nothing here, and compares exact
// paths and expressions with the bytes before "?", where Weir drops the query, too;
// Weir then refuses every path with bytes that could mean another. Envoy keeps the
// route that it found first, whatever Weir writes into the path (RETAIN). Should the
// two ever disagree, there is still no way around Weir, for three reasons. Every
// route has a mode that shows Weir the body, and Envoy tells Weir the modes that it
// uses: a request whose modes are not those of what Weir takes its path for is
// refused at its head. What goes upstream is what Weir wrote: path, headers and
// body of one operation in the form of one protocol. And all endpoints are those of
// one model server, where that path on the wrong port is answered with an error.
//
// # Round trips
//
// Of the messages that make an exchange, none can be spared without a law:
// without request headers a body has no path, without response headers and
// attributes an answer of Envoy's own looks like one of the model server's, and a
// body mode of NONE would let one through. Trailers are sent only where there are
// any: after every answer over gRPC, whose status message is text of the model
// server's, and after requests of headers and trailers alone, which have no body
// message. Requests without a body (health, metadata) could have routes of their
// own without their response's body message; they are rare, and the path alone
// would decide. FULL_DUPLEX_STREAMED would overlap the headers and body of unary
// requests, but has no timer, no bound on what is in flight and, over HTTP before
// Envoy 1.38, no content-length, and model servers have had holes in their reading
// of chunked bodies.
//
// # Timeouts
//
// The timer for a whole request of the connection manager would end long streams,
// and no route can set it. So it is off: Weir has a timer for bodies that trickle
// in, and routes that buffer have one for the whole exchange, which also holds when
// Weir hangs. Routes that stream have a limit on silence only; a call over gRPC ends
// at the deadline that its client asked for, in Envoy and in the model server.
package envoy
