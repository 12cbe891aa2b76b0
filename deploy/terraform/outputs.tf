output "image_repository" {
  description = "Where the image is pushed."
  value       = "${var.region}-docker.pkg.dev/${var.project}/${google_artifact_registry_repository.images.repository_id}/skein"
}

output "redis_url" {
  description = "Of the private network."
  value       = local.store_url
}

output "blobs" {
  value = local.blobs
}

output "service_accounts" {
  value = { for name, account in google_service_account.fleet : name => account.email }
}

output "urls" {
  description = "Of the services on Cloud Run, once they have an image."
  value       = { for protocol, service in google_cloud_run_v2_service.nodes : protocol => service.uri }
}
