//go:build e2e

package e2e

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// trickIndex holds the ways to make a firewall read another request than the model
// server does, or let through what it should not, and the tests that show each: how
// Triton takes it when nothing stands before it, and that it does not get past Weir.
var trickIndex = []struct {
	row   int
	about string
	tests string
}{
	{1, "duplicate keys, also escaped", "TestTrick01DuplicateKeys"},
	{2, "keys in another case, unknown keys", "TestTrick02KeysInAnotherCase"},
	{3, "a byte order mark", "TestTrick03ByteOrderMark"},
	{4, "a NUL, and a second document", "TestTrick04NULAndASecondDocument"},
	{5, "UTF-16 and UTF-32", "TestTrick05OtherEncodingsOfUnicode"},
	{6, "invalid and overlong UTF-8", "TestTrick06InvalidUTF8"},
	{7, "lone surrogates", "TestTrick07LoneSurrogates"},
	{8, "a NUL in names, datatypes, ids and parameters", "TestTrick08NULInNames TestTrick08NULInNamesOverGRPC"},
	{9, "NaN and infinity", "TestTrick09NotANumber"},
	{10, "numbers that do not fit their datatype", "TestTrick10NumbersThatDoNotFit"},
	{11, "depth bombs", "TestTrick11DepthBomb"},
	{12, "syntax that is no JSON", "TestTrick12LenientSyntax"},
	{13, "data and shapes that do not match", "TestTrick13DataThatNestsOtherwise TestTrick13ShapeThatOverflowsOverGRPC"},
	{14, "Inference-Header-Content-Length", "TestTrick14HeaderLength"},
	{15, "raw binary requests", "TestTrick15RawBinaryRequest"},
	{16, "binary sizes that lie", "TestTrick16BinarySizesThatLie"},
	{17, "BYTES elements that lie", "TestTrick17ElementsThatLie TestTrick17ElementsThatLieOverGRPC"},
	{18, "content codings that inflate differently", "TestTrick18ContentCodings"},
	{19, "names of content codings", "TestTrick19NamesOfContentCodings"},
	{20, "transfer codings and lengths that contradict each other", "TestTrick20FramesOfBodies TestTrick20LinesOfHeads"},
	{21, "trailers", "TestTrick21Trailers"},
	{22, "spellings of a path", "TestTrick22Paths"},
	{23, "spellings of a version", "TestTrick23Versions TestTrick23VersionsOverGRPC"},
	{24, "models inside an ensemble, other models and versions", "TestTrick24OtherModelsAndVersions"},
	{25, "content-type and paths of gRPC", "TestTrick25HeadsOfCalls"},
	{26, "frames of gRPC", "TestTrick26Frames"},
	{27, "protobuf that parsers read differently", "TestTrick27Messages"},
	{28, "inputs twice or unknown", "TestTrick28InputsTwiceOrUnknown TestTrick28InputsTwiceOrUnknownOverGRPC"},
	{29, "outputs twice, or thousands", "TestTrick29OutputsTwiceOrThousandsOfThem TestTrick29OutputsTwiceOrThousandsOfThemOverGRPC"},
	{30, "outputs that hide the checked one", "TestTrick30OutputsThatHide TestTrick30OutputsThatHideOverGRPC"},
	{31, "parameters that steer a model", "TestTrick31Parameters TestTrick31ParametersOverGRPC"},
	{32, "pictures in another datatype or form", "TestTrick32PicturesInOtherForms TestTrick32PicturesInOtherFormsOverGRPC"},
	{33, "spellings of base64", "TestTrick33Base64"},
	{34, "formats told by content", "TestTrick34FormatsToldByContent"},
	{35, "polyglots and bytes after a picture", "TestTrick35MoreThanOneFile"},
	{36, "PNG with two heads or wrong checksums", "TestTrick36StructureOfPNG"},
	{37, "several frames", "TestTrick37SeveralFrames"},
	{38, "pictures cut short", "TestTrick38FilesCutShort"},
	{39, "decompression bombs", "TestTrick39Bombs"},
	{40, "two orientations", "TestTrick40TwoOrientations"},
}

func TestEveryTrickIsShown(t *testing.T) {
	exist := testFunctions(t, ".")
	var listed []string
	for i, row := range trickIndex {
		if row.row != i+1 || row.about == "" || row.tests == "" {
			t.Errorf("row %d: %+v", i+1, row)
		}
		for _, name := range strings.Fields(row.tests) {
			number := strings.TrimPrefix(name, "TestTrick")
			if n, err := strconv.Atoi(number[:2]); err != nil || n != row.row || !exist[name] {
				t.Errorf("row %d: there is no %s", row.row, name)
			}
			listed = append(listed, name)
		}
	}
	if len(trickIndex) != 40 {
		t.Errorf("%d rows", len(trickIndex))
	}
	for name := range exist {
		if strings.HasPrefix(name, "TestTrick") && !slices.Contains(listed, name) {
			t.Errorf("%s belongs to no row", name)
		}
	}
}
