// The oracle of rapidjson_*.txt: RapidJSON with the flags that Triton compiles
// it with (triton/common/triton_json.h). Made with RapidJSON's master branch:
//
//   g++ -O2 -I RAPIDJSON/include rapidjson.cc -o rapidjson
//   ./rapidjson floats > rapidjson_floats.txt
//   python3 documents.py | ./rapidjson read > rapidjson_reads.txt
//
// "floats" prints the bits of float64 values and how the Writer prints them.
// "read" takes documents in hexadecimal, one a line, and prints each with what
// the parser makes of it: the tree, every object, array, name and value marked
// by its type, strings in hexadecimal, numbers by their bits; or "error".
#include <cstdio>
#include <cstring>
#include <iostream>
#include <string>
#include "rapidjson/document.h"
#include "rapidjson/stringbuffer.h"
#include "rapidjson/writer.h"

using rapidjson::Value;
using Writer = rapidjson::Writer<rapidjson::StringBuffer, rapidjson::UTF8<>, rapidjson::UTF8<>,
                                 rapidjson::CrtAllocator, rapidjson::kWriteNanAndInfFlag>;

static void Float(double d) {
  uint64_t bits;
  memcpy(&bits, &d, 8);
  rapidjson::StringBuffer buffer;
  Writer writer(buffer);
  writer.Double(d);
  printf("%016llx %s\n", (unsigned long long)bits, buffer.GetString());
}

static uint64_t state = 1;
static uint64_t Random() {  // splitmix64
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

static void Floats() {
  const double fixed[] = {0.0, -0.0, 1, -1, 0.1f, 0.1, 0.5, 1e21, 1e22, 123456789012345680000.0, 1e-5, 1e-6, 1e-7, 1.5e-7,
                          12.34, 5e-324, 1.7976931348623157e308, 3.4028234663852886e38, 1e100, 1.25e-10, 65504, 16777217,
                          1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0 * -1};
  for (double d : fixed) Float(d);
  for (int i = 0; i < 200; i++) {
    uint32_t bits = (uint32_t)Random();
    float f;
    memcpy(&f, &bits, 4);
    if (f == f) Float(f);
    Float((float)(int64_t)(Random() % 2000001 - 1000000) / 1000.0f);
  }
}

static void Hex(const char* p, size_t n) {
  printf("\"");
  for (size_t i = 0; i < n; i++) printf("%02x", (unsigned char)p[i]);
  printf("\"");
}

static void Tree(const Value& v) {
  if (v.IsNull()) printf("null");
  if (v.IsBool()) printf(v.GetBool() ? "true" : "false");
  if (v.IsString()) Hex(v.GetString(), v.GetStringLength());
  if (v.IsUint64()) printf("u%llu", (unsigned long long)v.GetUint64());
  else if (v.IsInt64()) printf("i%lld", (long long)v.GetInt64());
  else if (v.IsNumber()) {
    double d = v.GetDouble();
    uint64_t bits;
    memcpy(&bits, &d, 8);
    if (d != d) printf("nan");
    else printf("d%016llx", (unsigned long long)bits);
  }
  if (v.IsArray()) {
    printf("[");
    for (auto& e : v.GetArray()) { Tree(e); printf(","); }
    printf("]");
  }
  if (v.IsObject()) {
    printf("{");
    for (auto& m : v.GetObject()) { Tree(m.name); printf(":"); Tree(m.value); printf(","); }
    printf("}");
  }
}

static void Read() {
  std::string line;
  while (std::getline(std::cin, line)) {
    std::string text;
    for (size_t i = 0; i + 1 < line.size(); i += 2) text.push_back((char)std::stoi(line.substr(i, 2), nullptr, 16));
    rapidjson::Document document;
    const unsigned flags = rapidjson::kParseNanAndInfFlag | rapidjson::kParseIterativeFlag;
    document.Parse<flags>(text.data(), text.size());
    printf("%s ", line.c_str());
    if (document.HasParseError()) printf("error");
    else Tree(document);
    printf("\n");
  }
}

int main(int argc, char** argv) {
  if (argc == 2 && !strcmp(argv[1], "floats")) Floats();
  else if (argc == 2 && !strcmp(argv[1], "read")) Read();
  else return 4;
}
