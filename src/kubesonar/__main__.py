"""`python -m kubesonar` and the command `kubesonar`."""

from kubesonar.cli import main

if __name__ == "__main__":
    raise SystemExit(main())
