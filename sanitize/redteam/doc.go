// Package redteam marks pictures with the triggers of known back doors, and measures
// which of them a sanitising profile stops for one model, and what it costs.
//
// # Triggers
//
// A trigger is written as its name and what differs from its standard, separated by
// commas: "checkerboard", "patch,size=5%,at=top-left". Lengths are per cent of the
// shorter side of the picture ("8%") or pixels ("6px"), at least one pixel.
//
//	checkerboard  black and white cells in a square
//	patch         a square of one colour, or a small picture, at a fixed place
//	sticker       the same at a place that is drawn for each sample
//	pixel         one pixel of a picture with 64 pixels a side
//	sinusoid      stripes over the picture (SIG: Barni et al. 2019)
//	noise         one fixed noise, blended in (Chen et al. 2017)
//	blend         one fixed picture of low frequencies, blended in
//	warp          a fixed elastic field (as WaNet: Nguyen and Tran 2021)
//	colour        hue turned by an angle, or channels moved by an offset
//	border        a frame around the picture
//	exif          a text as the Exif image description
//	comment       a text in a JPEG comment or a PNG tEXt chunk
//	trailing      a text behind the end of the picture
//
// with the parameters
//
//	size        side of the square, or width of the frame
//	cell        side of a cell of the checkerboard
//	at          top-left, top-right, bottom-left, bottom-right, centre, random
//	inset       distance from the edges of the picture
//	fill        "#rrggbb", or "picture"
//	strength    share of the mark in the blend, above 0 to 1
//	amplitude   of stripes, in steps of 255
//	frequency   stripes over the width
//	alpha       share of the blended picture, above 0 to 1
//	grid        cells of the noise, or knots of the field, over the shorter side
//	shift       mean displacement of the field
//	hue         degrees
//	red, green, blue   offsets, in steps of 255
//	seed        of noise, picture or field
//	text        what the file is marked with
//
// All of it is deterministic: a trigger depends on its parameters, on the size of the
// picture and, where its place is drawn, on the index of the sample.
package redteam
