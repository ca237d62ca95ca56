// Builds a sparse system of equations (a heated plate) and solves it with Eigen, which is templates
// throughout. Arguments: rounds.
#include <Eigen/Dense>
#include <Eigen/SparseCholesky>
#include <vector>

#include "programs/timed_program.h"

namespace {

constexpr int kSide = 40;

UNTRACED Eigen::SparseMatrix<double> HeatedPlate() {
  std::vector<Eigen::Triplet<double>> entries;
  const auto at = [](int row, int column) { return row * kSide + column; };
  for (int row = 0; row < kSide; ++row) {
    for (int column = 0; column < kSide; ++column) {
      entries.emplace_back(at(row, column), at(row, column), 4.0);
      if (row > 0) entries.emplace_back(at(row, column), at(row - 1, column), -1.0);
      if (row + 1 < kSide) entries.emplace_back(at(row, column), at(row + 1, column), -1.0);
      if (column > 0) entries.emplace_back(at(row, column), at(row, column - 1), -1.0);
      if (column + 1 < kSide) entries.emplace_back(at(row, column), at(row, column + 1), -1.0);
    }
  }
  Eigen::SparseMatrix<double> matrix(kSide * kSide, kSide * kSide);
  matrix.setFromTriplets(entries.begin(), entries.end());
  return matrix;
}

}  // namespace

UNTRACED uint64_t RunProgram(int rounds) {
  double sum = 0;
  for (int round = 0; round < rounds; ++round) {
    const Eigen::SparseMatrix<double> matrix = HeatedPlate();
    const Eigen::VectorXd heat = Eigen::VectorXd::Constant(matrix.rows(), 1.0 + round % 2);
    const Eigen::SimplicialLDLT<Eigen::SparseMatrix<double>> solver(matrix);
    const Eigen::VectorXd solution = solver.solve(heat);
    const Eigen::MatrixXd square = solution.head(64) * solution.head(64).transpose();
    sum += solution.sum() + square.trace();
  }
  return static_cast<uint64_t>(sum);
}
