#!/bin/sh
# Deploys server and agents with kubectl, told by the variables that netchecker's own deploy.sh had. What it would apply
# is printed, and nothing done, with DRY_RUN=true.
set -eu
cd "$(dirname "$0")"
: "${NS:=default}" "${NODE_PORT:=31081}" "${SERVER_PORT:=8081}" "${AGENT_REPORT_INTERVAL:=60}" "${PURGE:=false}"
: "${IMAGE_TAG:=0.1.0.dev0}" "${USE_ETCD_ENDPOINT:=false}" "${ETCD_ENDPOINT:=}" "${DRY_RUN:=false}"
: "${SERVER_IMAGE_NAME:=kubesonar/netchecker-server}" "${AGENT_IMAGE_NAME:=kubesonar/netchecker-agent}"
kubectl=${KUBE_DIR:+$KUBE_DIR/}kubectl
store=-kubeproxyinit=true
if [ "$USE_ETCD_ENDPOINT" = true ]; then
  store="-etcd-endpoints=${ETCD_ENDPOINT:?with USE_ETCD_ENDPOINT=true it has to be the URLs of etcd}"
fi
manifests() {
  sed -e "s|^\( *namespace:\) default$|\1 $NS|" \
      -e "s|8081|$SERVER_PORT|" -e "s|nodePort: 31081|nodePort: $NODE_PORT|" \
      -e "s|-kubeproxyinit=true|$store|" -e "s|-reportinterval=60|-reportinterval=$AGENT_REPORT_INTERVAL|" \
      -e "s|image: kubesonar/netchecker-server:.*|image: $SERVER_IMAGE_NAME:$IMAGE_TAG|" \
      -e "s|image: kubesonar/netchecker-agent:.*|image: $AGENT_IMAGE_NAME:$IMAGE_TAG|" "$@"
}
run() {
  if [ "$DRY_RUN" = true ]; then cat; else "$kubectl" ${KUBE_USER:+--user "$KUBE_USER"} "$@"; fi
}
if [ "$PURGE" = true ]; then
  manifests server.yaml agents.yaml | run delete --ignore-not-found -f -
fi
manifests server.yaml | run apply -f -
manifests agents.yaml | run apply -f -
