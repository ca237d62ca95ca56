// cereal: a graph of objects of polymorphic classes, shared and nested, goes through two kinds
// of archives and back; damaged archives are refused by exceptions.
#include <cereal/archives/json.hpp>
#include <cereal/archives/portable_binary.hpp>
#include <cereal/types/map.hpp>
#include <cereal/types/memory.hpp>
#include <cereal/types/polymorphic.hpp>
#include <cereal/types/string.hpp>
#include <cereal/types/vector.hpp>
#include <cstdio>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace zoo {

struct Animal {
  virtual ~Animal() = default;
  virtual int Weight() const = 0;
};

struct Named {
  virtual ~Named() = default;
  virtual const std::string& Name() const = 0;
};

// Calls of Name() through Named go through a thunk.
struct Dog : Animal, Named {
  int Weight() const override { return weight; }
  const std::string& Name() const override { return name; }
  template <typename Archive>
  void serialize(Archive& archive) {
    archive(CEREAL_NVP(name), CEREAL_NVP(weight));
  }
  std::string name;
  int weight = 0;
};

struct Herd : Animal {
  int Weight() const override {
    int weight = 0;
    for (const auto& animal : animals) weight += animal->Weight();
    return weight;
  }
  template <typename Archive>
  void save(Archive& archive) const {
    archive(CEREAL_NVP(animals), CEREAL_NVP(labels));
  }
  template <typename Archive>
  void load(Archive& archive) {
    archive(CEREAL_NVP(animals), CEREAL_NVP(labels));
  }
  std::vector<std::shared_ptr<Animal>> animals;
  std::map<std::string, double> labels;
};

}  // namespace zoo

CEREAL_REGISTER_TYPE(zoo::Dog)
CEREAL_REGISTER_TYPE(zoo::Herd)
CEREAL_REGISTER_POLYMORPHIC_RELATION(zoo::Animal, zoo::Dog)
CEREAL_REGISTER_POLYMORPHIC_RELATION(zoo::Animal, zoo::Herd)

namespace {

std::shared_ptr<zoo::Animal> MakeHerd(int depth) {
  auto herd = std::make_shared<zoo::Herd>();
  for (int i = 0; i < 4; ++i) {
    auto dog = std::make_shared<zoo::Dog>();
    dog->name = "dog " + std::to_string(i);
    dog->weight = 10 + i;
    herd->animals.push_back(dog);
    if (i % 2 == 0) herd->animals.push_back(dog);
    herd->labels[dog->name] = depth / 3.0;
  }
  if (depth > 0) herd->animals.push_back(MakeHerd(depth - 1));
  return herd;
}

template <typename Output, typename Input>
void RoundTrip(const char* name, const std::shared_ptr<zoo::Animal>& animal) {
  std::stringstream stream;
  {
    Output archive(stream);
    archive(animal);
  }
  const std::string text = stream.str();
  std::shared_ptr<zoo::Animal> read;
  {
    Input archive(stream);
    archive(read);
  }
  bool refused = false;
  try {
    std::stringstream part(text.substr(0, text.size() / 2));
    Input archive(part);
    std::shared_ptr<zoo::Animal> none;
    archive(none);
  } catch (const std::exception&) {
    refused = true;
  }
  printf("%s: %zu bytes, weight %d, half is refused: %d\n", name, text.size(), read->Weight(),
         refused);
}

size_t LengthOfNames(const zoo::Herd& herd) {
  size_t length = 0;
  for (const auto& animal : herd.animals) {
    if (const auto* named = dynamic_cast<const zoo::Named*>(animal.get())) {
      length += named->Name().size();
    }
  }
  return length;
}

}  // namespace

int main() {
  const std::shared_ptr<zoo::Animal> herd = MakeHerd(1);
  RoundTrip<cereal::PortableBinaryOutputArchive, cereal::PortableBinaryInputArchive>("portable",
                                                                                     herd);
  RoundTrip<cereal::JSONOutputArchive, cereal::JSONInputArchive>("JSON", herd);
  printf("names: %zu\n", LengthOfNames(dynamic_cast<const zoo::Herd&>(*herd)));
}
