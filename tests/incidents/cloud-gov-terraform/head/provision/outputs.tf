# What applications reach object storage by.
output "s3_gateway_endpoint_cidr_1" {
  value = data.aws_prefix_list.s3_gw_cidrs.cidr_blocks[0]
}

output "s3_gateway_endpoint_cidr_2" {
  value = data.aws_prefix_list.s3_gw_cidrs.cidr_blocks[1]
}
