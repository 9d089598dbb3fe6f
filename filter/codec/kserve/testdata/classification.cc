// The oracle of classification.txt: what Triton 2.51 makes of a tensor of one or
// more rows for "classification" (AddClassResults in src/classification.cc), with
// the std::to_string of the C++ library.
//
//   g++ -O2 -std=c++17 classification.cc -o classification && ./classification > classification.txt
//
// A line has, separated by tabs, the datatype, the number of rows and of classes,
// the tensor in hexadecimal, and the classes of all rows, the largest first.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

static uint64_t state = 1;
static uint64_t Random() {  // splitmix64
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

static const char* labels[] = {"stop", "", "a:b", "10:2:x", "\xc3\xa9"};

template <typename T>
static void Print(const char* datatype, size_t rows, const std::vector<T>& values, bool labelled) {
  const size_t n = values.size() / rows;
  printf("%s\t%zu\t%zu\t", datatype, rows, n);
  for (size_t i = 0; i < values.size() * sizeof(T); i++) printf("%02x", ((const uint8_t*)values.data())[i]);
  for (size_t r = 0; r < rows; r++) {
    const T* probs = values.data() + r * n;
    std::vector<size_t> idx(n);
    std::iota(idx.begin(), idx.end(), 0);
    std::sort(idx.begin(), idx.end(), [&probs](size_t i1, size_t i2) { return probs[i1] > probs[i2]; });
    for (size_t k : idx) {
      std::string s = std::to_string(probs[k]) + ":" + std::to_string(k);
      if (labelled && k < 5) s += std::string(":") + labels[k];
      printf("\t%s", s.c_str());
    }
  }
  printf("\n");
}

template <typename T>
static void Integers(const char* datatype) {
  using L = std::numeric_limits<T>;
  Print<T>(datatype, 1, {L::min(), L::max(), 0, 1}, true);
  for (int i = 0; i < 3; i++) {
    std::vector<T> values;
    for (int k = 0; k < 12; k++) values.push_back((T)Random());
    Print<T>(datatype, 3, values, false);
  }
}

template <typename T>
static void Floats(const char* datatype) {
  using L = std::numeric_limits<T>;
  Print<T>(datatype, 1, {L::max(), L::lowest(), L::min(), L::denorm_min(), (T)-0.0, (T)0.1, (T)1e15 / 3, (T)-1e-7}, false);
  Print<T>(datatype, 1, {L::infinity(), -L::infinity(), 1, 0}, true);
  Print<T>(datatype, 2, {L::quiet_NaN(), -L::quiet_NaN()}, true);
  Print<T>(datatype, 1, {(T)0.5}, true);
  for (int i = 0; i < 20; i++) {
    std::vector<T> values;
    for (int k = 0; k < 10; k++) values.push_back((T)(int64_t)Random() / (T)((uint64_t)1 << (Random() % 64)));
    Print<T>(datatype, 2, values, i % 2);
  }
}

int main() {
  Integers<uint8_t>("UINT8");
  Integers<uint16_t>("UINT16");
  Integers<uint32_t>("UINT32");
  Integers<uint64_t>("UINT64");
  Integers<int8_t>("INT8");
  Integers<int16_t>("INT16");
  Integers<int32_t>("INT32");
  Integers<int64_t>("INT64");
  Floats<float>("FP32");
  Floats<double>("FP64");
}
