// Package webp rewrites a WebP file so that it holds the picture and nothing else.
//
// The walk follows RFC 9649 (the container and the lossless bitstream) and RFC 6386
// (VP8), and is stricter than decoders are: what libwebp, its demuxer, OpenCV and
// x/image read differently is refused. Nothing is reconstructed, but every boolean of
// VP8 and every prefix code of VP8L is read up to the last sample, so that a truncated
// picture is found, and bytes behind its end are cut off. Coefficients of VP8 far
// beyond what an encoder writes are refused: decoders overflow in different ways.
//
// What stays, in this order: VP8X, if there is an ALPH chunk, an orientation or an
// animation, or the file would be too short for OpenCV without it; ALPH; VP8 or
// VP8L; EXIF with the orientation alone, if it is 2 to 8 and the flag of VP8X lets
// libwebp see it. Reserved bits and pad bytes are 0. Everything else goes: ICCP,
// XMP, C2PA, unknown chunks, what follows the RIFF chunk.
//
// Of VP8, the partitions of coefficients are copied, each at the low end of the
// interval that its booleans leave over, and with no more zeros behind it than
// libwebp's encoder writes. The first partition is encoded anew, so that colour space,
// clamping type, scaling, and the parameters that no sample depends on (probabilities
// and segments that are not used, a filter that is off) have their defaults.
//
// Of VP8L and ALPH, the bits up to the last sample are copied. A stream that holds
// more than the picture is encoded anew: varying samples where decoders look at none
// (in the images of transforms and of prefix code groups, beside the indices of a
// palette, and in ALPH beside green), colours without a pixel, groups without a tile.
//
// Of an animation that is kept, the rectangles, durations, blending and number of
// loops stay. The background colour is set to 0; libwebp paints transparency. The
// first frame, if that is all that is wanted, is drawn on a canvas when it is smaller,
// and encoded anew.
//
// What copying leaves: choices of the encoder (coefficients that are zero, modes of
// skipped blocks, codes of symbols that do not occur, references, one constant sample
// where decoders look at none), blocks of VP8 and indices of VP8L beyond the edges of
// the picture, the latter if another transform follows the palette, colour under alpha
// 0, and whether a VP8L picture says that it has alpha, by which libwebp's users read
// RGB or RGBA. With ZeroTransparent, pictures that have colour under alpha 0 are
// encoded anew, lossless, also those that were lossy. With ContainerOnly, the payloads
// of VP8, VP8L and lossless ALPH are copied as they are, with whatever hides in them,
// and truncated ones pass.
//
// Besides the output, a walk needs 16 bytes for each column of 16 pixels of VP8; for
// VP8L 4 bytes for each 16 pixels, or for each index of a palette, and up to 25 MB of
// prefix codes; and what is encoded anew EncodeBytesPerPixel.
package webp
