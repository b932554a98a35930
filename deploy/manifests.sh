#!/usr/bin/env bash
# Validates the manifests against the schemas of the oldest and the newest Kubernetes that we name.
set -euo pipefail
cd "$(dirname "$0")/kubernetes"

shopt -s extglob
manifests=(!(kustomization).yaml)

# An unknown kind is only warned of, with success: whatever is not INFO is a failure here.
status=0
report=$(kubernetes-validate --strict -k 1.34 -k 1.37 "${manifests[@]}" 2>&1) || status=$?
if grep -v '^INFO ' <<<"$report" >&2 || [[ $status -ne 0 ]]; then
    exit 1
fi

# kustomization.yaml lists every manifest, save for the example of the secrets, and nothing else.
diff -u -L kustomization.yaml -L "manifests in the folder" \
    <(sed -n 's/^  - \(.*\.yaml\)$/\1/p' kustomization.yaml | sort) \
    <(printf '%s\n' !(kustomization|secret.example).yaml | sort) >&2

echo "manifests ok: ${#manifests[@]} files"
