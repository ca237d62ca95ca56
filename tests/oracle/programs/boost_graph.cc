// Boost.Graph: shortest paths, search with visitors (one leaves it by an exception), components,
// a topological order, and a spanning tree, whose edges the standard library sorts.
#include <boost/graph/adjacency_list.hpp>
#include <boost/graph/breadth_first_search.hpp>
#include <boost/graph/connected_components.hpp>
#include <boost/graph/depth_first_search.hpp>
#include <boost/graph/dijkstra_shortest_paths.hpp>
#include <boost/graph/kruskal_min_spanning_tree.hpp>
#include <boost/graph/topological_sort.hpp>
#include <cstdio>
#include <iterator>
#include <vector>

namespace {

using Weight = boost::property<boost::edge_weight_t, int>;
using Graph =
    boost::adjacency_list<boost::vecS, boost::vecS, boost::undirectedS, boost::no_property, Weight>;
using Dag = boost::adjacency_list<boost::vecS, boost::vecS, boost::directedS>;
using Vertex = boost::graph_traits<Graph>::vertex_descriptor;
using Edge = boost::graph_traits<Graph>::edge_descriptor;

constexpr int kSide = 14;

// A square of streets, some of them missing.
Graph MakeStreets() {
  Graph graph(kSide * kSide);
  for (int i = 0; i < kSide * kSide; ++i) {
    if (i % kSide != kSide - 1 && i % 11 != 3) boost::add_edge(i, i + 1, 1 + i * 7 % 13, graph);
    if (i + kSide < kSide * kSide && i % 7 != 2) {
      boost::add_edge(i, i + kSide, 1 + i * 5 % 17, graph);
    }
  }
  return graph;
}

struct Found {
  Vertex vertex;
};

struct Finder : boost::default_bfs_visitor {
  explicit Finder(Vertex wanted) : wanted(wanted) {}
  void discover_vertex(Vertex vertex, const Graph&) const {
    if (vertex == wanted) throw Found{vertex};
  }
  Vertex wanted;
};

void Search(const Graph& graph) {
  for (const Vertex wanted : {Vertex{90}, Vertex{30}, Vertex{100000}}) {
    try {
      boost::breadth_first_search(graph, Vertex{0}, boost::visitor(Finder(wanted)));
      printf("%zu: not found\n", wanted);
    } catch (const Found& found) {
      printf("%zu: found\n", found.vertex);
    }
  }
}

void Paths(const Graph& graph) {
  std::vector<int> distances(boost::num_vertices(graph));
  boost::dijkstra_shortest_paths(graph, Vertex{0},
                                 boost::distance_map(boost::make_iterator_property_map(
                                     distances.begin(), boost::get(boost::vertex_index, graph))));
  long sum = 0;
  for (const int distance : distances) sum += distance < 100000 ? distance : 0;
  std::vector<int> component(boost::num_vertices(graph));
  printf("distances %ld, components %d\n", sum,
         boost::connected_components(graph, component.data()));
}

void SpanningTree(const Graph& graph) {
  std::vector<Edge> tree;
  boost::kruskal_minimum_spanning_tree(graph, std::back_inserter(tree));
  int weight = 0;
  for (const Edge& edge : tree) weight += boost::get(boost::edge_weight, graph, edge);
  printf("tree of %zu edges, weight %d\n", tree.size(), weight);
}

void Order() {
  Dag dag(80);
  for (int i = 0; i < 79; ++i) boost::add_edge(i, i + 1 + i % 3 < 80 ? i + 1 + i % 3 : 79, dag);
  std::vector<boost::graph_traits<Dag>::vertex_descriptor> order;
  boost::topological_sort(dag, std::back_inserter(order));
  printf("last %zu\n", order.front());
  boost::add_edge(79, 0, dag);
  try {
    boost::topological_sort(dag, std::back_inserter(order));
  } catch (const boost::not_a_dag&) {
    printf("not a dag\n");
  }
}

}  // namespace

int main() {
  const Graph streets = MakeStreets();
  Search(streets);
  Paths(streets);
  SpanningTree(streets);
  Order();
}
