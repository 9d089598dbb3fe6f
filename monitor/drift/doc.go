// Package drift tells when the features of a model have left their baseline, with
// a promise about how rarely it says so without cause.
//
// # The statistic
//
// Samples are collected in blocks of a fixed time (10 s). A block gives one number
// for each bin of each feature: its share X of the samples. The null hypothesis
// is that the expected share of every bin, given all that came before, lies in
// the band p ± τ around the share p of the baseline. For each bin there are bets
// against it, ten in all:
//
//	L = 1 + λ(X - (p+τ)),  0 < λ < 1/(p+τ)        pays when the share rises
//	L = 1 - λ(X - (p-τ)),  0 < λ < 1/(1 - (p-τ))  pays when the share falls
//
// Since X is in [0, 1] no L is negative, and since L is linear in X its
// expectation is at most one for every distribution under the null, however the
// samples inside of a block depend on each other: clients may send the same
// request ten times in a row. Each bet drives a Shiryaev–Roberts process
//
//	M ← (M + 1)·L
//
// and the statistic is the weighted average of all M, over bets, bins and
// features. It raises an alarm at A = mean time between false alarms / block, and
// then begins again at zero. This is an e-detector of Shin, Ramdas and Rinaldo
// (arXiv 2203.03532).
//
// # The promise
//
// M_t - t is a supermartingale under the null, for each bet and hence for their
// average, whatever their dependence. If N is the block of the first alarm then
// A ≤ E[M_N] ≤ E[N]: the mean time between false alarms is at least A blocks, with
// no further correction for the number of features. It is a statement about one
// detector and holds again after each alarm.
//
// # The band
//
// τ is the operator's tolerance, or z·sqrt(p(1-p)/m) where that is larger: the
// sampling error of a baseline of m samples, with the z at which the intervals of
// all k bins of the baseline hold together at 95 %, z = Φ⁻¹(1 - 0.05/2k). With
// tolerance zero the promise thus holds with 95 % confidence over the draw of the
// baseline. A change inside of the band is not reported, by design.
//
// # Blocks with few samples
//
// A block with fewer samples than MinBlockRequests is continued for another
// block, which depends on the count only and never on the content. A block made
// of c spans with samples credits c instead of one: M ← (M + c)·L. Silence is
// never evidence. Streams whose samples have no time are cut into blocks of
// [SamplesPerBlock], and the promise is then about the number of samples.
//
// # Delays
//
// testdata/delays.txt is the measured table; some of its rows, as the mean seconds
// until a change of one feature among ten was reported, for 30 days between false
// alarms:
//
//	change     tolerance   1/s   5/s  20/s  200/s
//	+0.25 sd   0          1264   446   367    343   blocks of any size
//	+0.5 sd    0           368   214   194    185
//	+1 sd      0           141   120   111    108
//	sd × 1.5   0           390   228   208    202
//	+0.5 sd    0.02        547   301   288    282
//	+0.5 sd    0.02       2536   560   288    282   blocks of 100 samples or more
//	+1 sd      0.02       1274   282   146    148
//	+0.5 sd    0.02        907   301   288    282   blocks of 25 samples or more
//	+1 sd      0.02        423   149   146    148
//
// A block multiplies a component by at most about 1/(p+τ), so that even a total
// change takes some ten blocks: ln(A/weight)/ln(1/(p+τ)).
package drift
