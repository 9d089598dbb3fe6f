package jpegenc

// The transform is the one-dimensional algorithm of Loeffler, Ligtenberg and
// Moschytz ("Practical fast 1-D DCT algorithms with 11 multiplications", ICASSP
// 1989) on rows and then columns, in integers with the constants in 13 bits, of
// which 2 are kept between the passes. It errs by less than one step of a quality
// of 100, and gives the same on every machine.
const (
	constBits = 13
	passBits  = 2

	fix0_298631336 = 2446 // × 1<<13
	fix0_390180644 = 3196
	fix0_541196100 = 4433
	fix0_765366865 = 6270
	fix0_899976223 = 7373
	fix1_175875602 = 9633
	fix1_501321110 = 12299
	fix1_847759065 = 15137
	fix1_961570560 = 16069
	fix2_053119869 = 16819
	fix2_562915447 = 20995
	fix3_072711026 = 25172
)

// forward transforms a block of samples less 128 into coefficients times 8.
func forward(b *[64]int32) {
	for i := 0; i < 64; i += 8 {
		r := (*[8]int32)(b[i:])
		s := odd(r[0]-r[7], r[1]-r[6], r[2]-r[5], r[3]-r[4])
		a0, a3 := r[0]+r[7]+(r[3]+r[4]), r[0]+r[7]-(r[3]+r[4])
		a1, a2 := r[1]+r[6]+(r[2]+r[5]), r[1]+r[6]-(r[2]+r[5])
		z := (a2 + a3) * fix0_541196100
		const shift, half = constBits - passBits, 1 << (constBits - passBits - 1)
		r[0], r[4] = (a0+a1)<<passBits, (a0-a1)<<passBits
		r[2], r[6] = (z+a3*fix0_765366865+half)>>shift, (z-a2*fix1_847759065+half)>>shift
		r[1], r[3], r[5], r[7] = (s[0]+half)>>shift, (s[1]+half)>>shift, (s[2]+half)>>shift, (s[3]+half)>>shift
	}
	for i := range 8 {
		c := (*[57]int32)(b[i:])
		s := odd(c[0]-c[56], c[8]-c[48], c[16]-c[40], c[24]-c[32])
		a0, a3 := c[0]+c[56]+(c[24]+c[32]), c[0]+c[56]-(c[24]+c[32])
		a1, a2 := c[8]+c[48]+(c[16]+c[40]), c[8]+c[48]-(c[16]+c[40])
		z := (a2 + a3) * fix0_541196100
		const shift, half = constBits + passBits, 1 << (constBits + passBits - 1)
		c[0], c[32] = (a0+a1+1<<(passBits-1))>>passBits, (a0-a1+1<<(passBits-1))>>passBits
		c[16], c[48] = (z+a3*fix0_765366865+half)>>shift, (z-a2*fix1_847759065+half)>>shift
		c[8], c[24], c[40], c[56] = (s[0]+half)>>shift, (s[1]+half)>>shift, (s[2]+half)>>shift, (s[3]+half)>>shift
	}
}

// odd is the odd half of one dimension, from the differences of the samples at equal
// distance from the middle: the coefficients 1, 3, 5 and 7.
func odd(t7, t6, t5, t4 int32) [4]int32 {
	z1, z2, z3, z4 := t4+t7, t5+t6, t4+t6, t5+t7
	z5 := (z3 + z4) * fix1_175875602
	z1, z2 = z1*-fix0_899976223, z2*-fix2_562915447
	z3, z4 = z3*-fix1_961570560+z5, z4*-fix0_390180644+z5
	return [4]int32{
		t7*fix1_501321110 + z1 + z4, t6*fix3_072711026 + z2 + z3,
		t5*fix2_053119869 + z2 + z4, t4*fix0_298631336 + z1 + z3,
	}
}
