#!/usr/bin/env bash
#SBATCH --job-name=physics
#SBATCH --nodes=1
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --time=02:00:00
#SBATCH --output=physics-%j.log
# One worker per GPU; each leases its own.  The job's exit code is the gate's.
#
#     sbatch --export=ALL,MODEL=fno-mini=$PWD/new.safetensors,AGAINST=fno-mini docs/ci/slurm.sh
set -uo pipefail
cd "${SLURM_SUBMIT_DIR:-$PWD}"
export OMP_NUM_THREADS=1 MKL_NUM_THREADS=1
report="report-${SLURM_JOB_ID:-local}"

"${PYTHON_ENV:-.venv}/bin/pytest" suites/ --model "$MODEL" --against "$AGAINST" \
  -n "${SLURM_GPUS_ON_NODE:-2}" --junitxml="$report/junit.xml"
code=$?

# Nothing lies in reports/latest if the command line was refused (exit code 4).
cp -rL reports/latest/. "$report/" && echo "report: $report/report.html"
exit "$code"
